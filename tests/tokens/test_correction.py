"""Learning from what upstreams report."""

from qwen_gateway.tokens.correction import MODELS_LIMIT, Correction


def test_an_unknown_model_is_not_corrected() -> None:
    assert Correction().factor("qwen3-max", counted=False) == 1.0


def test_estimates_come_near_what_a_model_reports() -> None:
    correction = Correction()
    for _ in range(50):
        correction.learn("qwen3-max", 1_000, 1_300, counted=False)
    assert abs(correction.factor("qwen3-max", counted=False) - 1.3) < 0.01
    assert correction.factor("qwen3-max", counted=True) == 1.0
    assert correction.factor("another", counted=False) == 1.0


def test_one_short_call_does_not_turn_everything() -> None:
    correction = Correction()
    correction.learn("qwen3-max", 10, 100, counted=False)
    assert correction.factor("qwen3-max", counted=False) < 1.2


def test_a_model_that_changes_is_learned_anew() -> None:
    correction = Correction()
    for _ in range(1_000):
        correction.learn("qwen-max", 1_000, 1_000, counted=False)
    for _ in range(2_000):
        correction.learn("qwen-max", 1_000, 1_500, counted=False)
    assert correction.factor("qwen-max", counted=False) > 1.45


def test_what_makes_no_sense_teaches_little() -> None:
    correction = Correction()
    correction.learn("qwen-max", 10, 10_000_000, counted=False)
    correction.learn("qwen-max", 0, 5, counted=False)
    correction.learn("qwen-max", 5, -1, counted=False)
    assert correction.factor("qwen-max", counted=False) == 4.0


def test_names_that_clients_make_up_do_not_fill_the_memory() -> None:
    correction = Correction()
    for number in range(10 * MODELS_LIMIT):
        correction.learn(f"model-{number}", 1_000, 2_000, counted=False)
    assert len(correction._sums) == MODELS_LIMIT
