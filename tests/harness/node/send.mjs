// Sends one message with nodemailer, as a Node application would, and prints what came of it
// as one line of JSON: {"ok": true, "code", "text"}.
import { readFileSync } from "node:fs";
import nodemailer from "nodemailer";

const { transport, message } = JSON.parse(readFileSync(0, "utf8"));
const mailer = nodemailer.createTransport({
  connectionTimeout: 10_000,
  greetingTimeout: 10_000,
  socketTimeout: 30_000,
  ...transport,
});
try {
  const info = await mailer.sendMail(message);
  const [code, ...text] = info.response.split(" ");
  console.log(JSON.stringify({ ok: true, code: Number(code), text: text.join(" ") }));
} catch (error) {
  const text = (error.response ?? String(error)).replace(/^\d{3}[ -]/, "");
  console.log(JSON.stringify({ ok: false, code: error.responseCode ?? 0, text }));
}
