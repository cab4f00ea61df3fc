// A certificate of a test's own, which a browser takes that was told its hash.

import { spawnSync } from "node:child_process";
import { createHash, X509Certificate } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** `{ key, cert, flag }` for these host names: two PEM texts, and what Chromium is to be started with. */
export const makeCertificate = async (...names) => {
  const folder = await mkdtemp(join(tmpdir(), "lastmile-certificate-"));
  try {
    const [key, cert] = ["key.pem", "cert.pem"].map((name) => join(folder, name));
    const made = spawnSync("openssl", [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"],
      ...["-subj", `/CN=${names[0]}`, "-addext", `subjectAltName=${names.map((name) => `DNS:${name}`).join(",")}`],
      ...["-keyout", key, "-out", cert],
    ]);
    if (made.status !== 0) throw new Error(`openssl: ${made.error ?? made.stderr}`);
    const pem = { key: await readFile(key, "utf8"), cert: await readFile(cert, "utf8") };
    const spki = new X509Certificate(pem.cert).publicKey.export({ type: "spki", format: "der" });
    const hash = createHash("sha256").update(spki).digest("base64");
    return { ...pem, flag: `--ignore-certificate-errors-spki-list=${hash}` };
  } finally {
    await rm(folder, { recursive: true });
  }
};
