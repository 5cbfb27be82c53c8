// One call by the official library. Prints what it made of the answer, and the bytes that it got, as one line of JSON.
import OpenAI from "openai";

const { baseURL, call, cancelAfter } = JSON.parse(process.argv[2]);
const answers = [];

async function recording(url, init) {
  const response = await fetch(url, init);
  const [ours, theirs] = response.body ? response.body.tee() : [null, null];
  const body = ours ? new Response(ours).text().catch(() => null) : Promise.resolve("");
  answers.push({
    path: new URL(url).pathname,
    asked: init?.body ? JSON.parse(init.body) : null,
    status: response.status,
    type: response.headers.get("content-type") ?? "",
    body,
  });
  return new Response(theirs, response);
}

const client = new OpenAI({ baseURL, apiKey: "sk-node", maxRetries: 0, fetch: cancelAfter ? fetch : recording });
const told = { chunks: 0, text: "", error: null };
try {
  if (call === "models") {
    told.models = (await client.models.list()).data.map((model) => model.id);
  } else if ("input" in call && call.stream) {
    for await (const event of await client.responses.create(call)) {
      told.chunks += 1;
      if (event.type === "response.output_text.delta") told.text += event.delta;
      if (event.type === "response.completed") told.final = event.response;
    }
  } else if ("input" in call) {
    const response = await client.responses.create(call);
    told.text = response.output_text;
    told.final = response;
  } else if (call.stream) {
    const stream = await client.chat.completions.create(call);
    for await (const chunk of stream) {
      told.chunks += 1;
      told.text += chunk.choices[0]?.delta?.content ?? "";
      if (cancelAfter && told.chunks >= cancelAfter) {
        stream.controller.abort();
        break;
      }
    }
  } else {
    const answer = await client.chat.completions.create(call);
    told.text = answer.choices[0].message.content;
    told.tools = answer.choices[0].message.tool_calls ?? [];
  }
} catch (error) {
  told.error = { name: error.constructor.name, status: error.status ?? null, code: error.code ?? null, message: error.message };
}
told.answers = await Promise.all(answers.map(async (answer) => ({ ...answer, body: await answer.body })));
console.log(JSON.stringify(told));
