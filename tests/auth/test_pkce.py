import re

from qwen_auth.pkce import new_pkce

# RFC 7636, appendix B
OCTETS = bytes.fromhex("7418dfb49799e0254ffa607dd8adbbba16d4254d69d6bff05b58055853848d79")


def test_the_example_of_the_rfc():
    pkce = new_pkce(lambda count: OCTETS[:count])

    assert pkce.verifier == "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert pkce.challenge == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_each_verifier_is_new_and_of_43_characters():
    verifiers = {new_pkce().verifier for _ in range(50)}

    assert len(verifiers) == 50
    assert all(re.fullmatch("[A-Za-z0-9_-]{43}", verifier) for verifier in verifiers)


def test_the_verifier_does_not_show_itself():
    pkce = new_pkce()

    assert pkce.verifier not in repr(pkce)
