"""Qwen on loopback: the simulator that stands for every Qwen service in tests and in the demo.

Built from upstream.md. It runs on real sockets, HTTP/1.1 and, with TLS, HTTP/2; it is deterministic,
carries hundreds of streams at once, and misbehaves on demand.

    async with Simulator() as sim:                     # in a test with an event loop
        client = AsyncOpenAI(base_url=sim.url("dashscope"), api_key="sk-sim")

    with Simulator.in_thread(tls=True) as sim: ...     # in a test without one; trust `sim.ca_file`

    python -m qwen_gateway.simulator --pace 0.03       # a process; prints a line of JSON with its URLs

Faces
-----
A client's base URL is `sim.url(FACE)`. `dashscope`, `beijing`, `virginia` and `workspace` end in
`/compatible-mode/v1`; `coding` (`/coding/v1`) and `token-plan` (`/token-plan/compatible-mode/v1`) are
the plans; `native` (`/api/v1`) has the official model list; `oauth` is the authorization server, at the
root, with the web-search plugin; `portal` (`/v1`) is where its tokens are good; `vllm`, `ollama` (`/…/v1`)
and `openrouter` (`/openrouter/api/v1`) are the variants of 4.13; `web` is chat.qwen.ai, at the root as well.
Paths: `chat/completions`, `embeddings`, `models`, on DashScope `responses` too, and vLLM's `/vllm/tokenize`.

What it says
------------
The text repeats the last user message (`echo.py`). A tool whose name the last user message mentions is
called; `name=value` in the message fills its arguments (`schema.py`). A token is a word (`tokens.py`), and
each chunk of a stream is one token. `catalogue.py` has the models and their manners.

Faults
------
A fault is written `NAME` or `NAME;param=value;…`; several are joined by commas. It can be asked for by

1. the key: `sk-sim` works (`sk-sp-sim` on plans, `sk-ws-H.sim`, `sk-or-sim`); `sk-sim-NAME` always answers
   with that fault; `.LABEL` behind either makes it another key: `sk-sim.one`, `sk-sim-throttling.two`;
2. the request header `x-sim-fault`;
3. a script, taken one entry per call: `sim.script(["throttling", "ok", {"fault": "drop-after",
   "params": {"after": 2}, "key": "sk-sim.one", "path": "/embeddings", "times": 2}])`.

The header comes before the script, the script before the key. `ok` changes nothing.

Error rows (2.12, 4.6, 4.7; parameters: `shape` E1, E2, E3, E3-json, E3-status or E4, `after` so many pieces of
content in E4, `message`, `row` for another row, `retry_after`):
`invalid-parameter` `input-too-long` `arrearage` `data-inspection` `data-inspection-output`
`invalid-api-key` `invalid-api-key-provided` `no-api-key` `missing-authorization` `invalid-access-token`
`not-authorized` `access-denied` `model-access-denied` `workspace-access-denied` `app-access-denied`
`access-denied-unpurchased` `free-tier-only` `free-tier-quota` `plan-key` `model-not-found`
`model-not-supported` `not-found` `method-not-allowed` `plan-model` `throttling` `throttling-route`
`rate-quota` `limit-requests` `burst-rate` `insufficient-quota` `allocation-quota` `free-quota`
`commodity-not-purchased` `prepaid-bill-overdue` `postpaid-bill-overdue` `hour-quota` `week-quota`
`month-quota` `concurrency-quota` `hour-quota-exhausted` `token-plan-rate` `token-plan-quota`
`internal-error` `internal-algo` `system-error` `model-service-failed` `request-timeout`
`model-serving-error` `model-serving-error-503` `model-unavailable` `bad-request` `stream-timeout`

The same by shape (4.5): `flat-error` `error-in-200` `error-in-200-json` `error-lines` `error-event`
`error-event-late` `content-filter-in-stream` `buffer-overflow` `too-many-in-stream`

In a stream: `no-done` `only-done` `no-content` `empty-stream` `invalid-json-chunk` `huge-chunk` `comments`
`unknown-events` `stall-mid` `drop-after` `drop-before-done` `drop-mid-json` `drop-mid-chunk`
`drop-mid-utf8` `crlf` `cr` `no-space` `bytewise` `ragged` `joined`

In the answer: `no-tool-parser` `old-errors` `embeddings-shuffled` `embeddings-total-only`
`think-in-content` `think-closing-only` `tool-call-in-content` `tool-call-xml-in-content`
`calls` `invalid-arguments` `says` `long-answer` `repeated-ids` `omitted-ids` `whole-tool-call` `no-finish` `finish`
`usage-null` `usage-in-finish` `thought-field`

On the way: `slow` `stall-headers` `stall-body` `drop-before-headers` `reset` `drop-in-headers`
`drop-after-headers` `truncated` `length-too-long` `length-too-short` `wrong-content-type` `retry-after`
`gzip` `text-500` `empty-200` `empty-404` `bad-gateway` `service-unavailable` `gateway-timeout`

Of the authorization server (2.3, 2.4): `oauth-invalid-request` `oauth-invalid-grant` `oauth-unauthorized`
`oauth-error-in-200` `oauth-slow-down` `oauth-slow-down-400` `oauth-rate-limited` `oauth-pending`
`oauth-expired-token` `oauth-expired-code` `oauth-access-denied` `oauth-status-pending` `oauth-null-token`
`oauth-no-resource-url` `oauth-no-refresh-token`; and `empty-200`, `gateway-timeout`, `stall-headers` and the like

Of chat.qwen.ai (3.11; parameters: `shape` json, old, stream or http, `after` so many pieces in a stream, `details`,
`num` hours): `web-rate-limited` `web-unauthorized` `web-token-expired` `web-in-progress` `web-bad-request`
`web-wrong-parent` `web-model-not-found` `web-chat-not-found` `web-file-not-found` `web-too-many-requests`
`web-context-length` `web-stream-unauthorized` `web-data-inspection` `web-error`; and `web-challenge`
`web-challenge-page` `web-silent` `web-no-phase`; most faults of streams and of the way fit as well

`GET /__sim__/faults` tells each with its section, its text, and its parameters with their defaults.

Keys and quotas
---------------
`sim.keys["sk-mine"] = Key(plan="coding", limits=Limits(hour5=3))` adds a key with a plan, a region, an
account (whose keys share all windows), models it may call, and limits. Time for quotas is `sim.clock`.

OAuth
-----
The device flow is whole: codes, the page `/authorize` with two buttons, PKCE, polls that may come too fast,
refresh tokens for one use. `sim.oauth.approve(user_code, account="alice")` and `deny` press the buttons;
`sim.oauth.login("alice", fault="throttling")` returns tokens without any ceremony; `expire(account)` ends its
access tokens, `revoke(account)` its logins; `token_life`, `refresh_life`, `code_life` and `interval` can be
set at any time. Each record of the log has a `note` such as "refresh 2 of alice"; `sim.oauth.logins` counts.
`sim.portal` holds the moods of the portal: `closed`, `per_day`, `rpm`, `delay`, `ceiling`, `fault`,
`searches_per_day`.

chat.qwen.ai
------------
`sim.web` is the site. `sim.web.visitors.browser("alice")` gives the headers of a browser that alice has signed
in with, `cookies` and `token` parts of them, `browser(guest="g")` those of a guest; `expire` and `revoke` end
sessions, `user("alice", fault="web-error")` gives her turns a fault, `token_life` is 900 seconds.
`sim.web.say("text", cut=3, thoughts="…")` lays out the next answer, `say(["<tool_", "call>"])` piece by piece
(`web/answers.py` has the fields); otherwise the end of the message is repeated, with the number of the turn.
`sim.web.mood` (`web/mood.py`) has the reading of parent ids, quotas, bursts, challenges, limits of bodies.
`sim.web.chats` and `sim.web.files` are what is kept. Uploads go to a store under `/qwen-webui-prod/` that
recomputes the V4 signature. A record of the log has the visitor's name as its `key`, and a `note` such as "turn
2 of CHAT by alice". A script's entry keeps to turns with `"path": "/chat/completions"`; the faults of visitors
and of the mood are for turns anyway.

Control from another process
----------------------------
`POST /__sim__/script` (a list of entries), `POST /__sim__/keys` (an object of keys), `POST /__sim__/settings`
(`{"pace": 0.03, "token_life": 60, "portal": {"closed": true}}`), `POST /__sim__/login`, `revoke` and `expire`
(`{"account": "alice"}`), `POST /__sim__/reset`; `GET /__sim__/log` (every request, with headers, body, times,
status, and whether the client left early), `GET /__sim__/connections`, `GET /__sim__/script` (entries waiting),
`GET /__sim__/logins`. Of the site: `POST /__sim__/web/say` (a list of answers), `web/browser` (`{"name": "alice"}`),
`web/expire`, `web/revoke`, `GET /__sim__/web/chats`, `web/visitors`; its mood is `{"web": {…}}` of the settings.

Where it is not faithful
------------------------
Tokens are words, not Qwen's. Texts the contract abridges are completed in its sense, and the contract knows no
body for a PKCE mismatch, no number for repetitive tool calls, and no schema of the native model list. RPM does
not bring RPS along: set `rps`. A month is 30 days. `enable_search`, audio and code interpreter have no effect.
There is no Anthropic face (4.12), no `completions`, files, batches or rerank. The contract has no text for a
chat that is gone, nor for what a message must agree with: the simulator is strict. The site's titles are the
first words, its tags, library and projects are empty, it does not speak, and nothing of a document is read.
"""

from .faults import FAULTS
from .keys import Key, Limits
from .log import Connection, Received
from .oauth.mood import Portal
from .simulator import Simulator
from .web import Answer, Mood

__all__ = ["FAULTS", "Answer", "Connection", "Key", "Limits", "Mood", "Portal", "Received", "Simulator"]
