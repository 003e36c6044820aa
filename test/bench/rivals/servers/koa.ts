/** The HTTP part that the rivals in Node share: the least of Koa that reads JSON and answers it. */
import Koa from 'koa';

export interface Labelled {
  readonly label: string;
  readonly confidence: number;
}

/** Serves POST /predict on PORT: `{text}` and `{texts}` as distilserve takes them. */
export function servePredictions(classify: (texts: readonly string[]) => Promise<readonly Labelled[]>): void {
  const app = new Koa();
  app.use(async (ctx) => {
    if (ctx.method !== 'POST' || ctx.path !== '/predict') return;
    const chunks: Buffer[] = [];
    for await (const chunk of ctx.req) chunks.push(chunk as Buffer);
    const { text, texts } = JSON.parse(Buffer.concat(chunks).toString()) as { text: string; texts?: string[] };
    ctx.body = texts === undefined ? (await classify([text]))[0] : { predictions: await classify(texts) };
  });
  app.listen(Number(process.env.PORT), '127.0.0.1');
}

/** Answers in the texts' order, computed `rows` at a time from the shortest on: little is spent on padding. */
export async function classifySorted(
  texts: readonly string[],
  rows: number,
  classify: (texts: readonly string[]) => Promise<readonly Labelled[]>,
): Promise<Labelled[]> {
  const order = texts.map((_, index) => index).sort((a, b) => texts[a]!.length - texts[b]!.length);
  const answers: Labelled[] = [];
  for (let start = 0; start < order.length; start += rows) {
    const chosen = order.slice(start, start + rows);
    const part = await classify(chosen.map((index) => texts[index]!));
    chosen.forEach((index, at) => {
      answers[index] = part[at]!;
    });
  }
  return answers;
}
