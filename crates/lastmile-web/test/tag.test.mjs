import assert from "node:assert/strict";
import { test } from "node:test";

import { load } from "./support/load.mjs";

/** A page with a tag that says this, and these calls noted before: what was sent where, and said on its console. */
const installed = (dataset, calls = [], tag = { localName: "script", src: "https://metrics.example/lm.js" }) => {
  const sent = [];
  const said = [];
  const self = { addEventListener() {}, removeEventListener() {}, lastmile: { q: calls } };
  const globals = {
    globalThis: {},
    self,
    document: { currentScript: { ...tag, dataset }, visibilityState: "visible" },
    location: { pathname: "/", href: "https://page.example/" },
    navigator: { onLine: true },
    console: { warn: (...words) => said.push(words.map(String).join(" ")) },
    setInterval() {},
    clearInterval() {},
    Request: class {
      constructor(url) {
        this.url = url;
      }
    },
    XMLHttpRequest: class {
      upload = {};
      open(_, url) {
        this.url = url;
      }
      setRequestHeader() {}
      send(body) {
        sent.push([this.url, JSON.parse(body).m]);
      }
    },
    fetch: (url, { body }) => {
      sent.push([url, JSON.parse(body).m]);
      return new Promise(() => {});
    },
  };
  load(["tag"], globals).install("lastmile", {}, {});
  self.lastmile("flush");
  return { call: self.lastmile, sent, said };
};

test("addresses are what is between spaces and ends of lines", () => {
  const check = (url, wanted) => {
    const { sent } = installed({ url }, [["increment", "a_total"]]);
    assert.equal(sent.length, 1, url);
    assert.equal(sent[0][0].replace(/s=\d+$/, "s="), wanted, url);
  };
  check(undefined, "https://metrics.example/lm?s=");
  check("", "https://metrics.example/lm?s=");
  check(" ", "https://metrics.example/lm?s=");
  check("/lm", "/lm?s=");
  check("/lm?key=1", "/lm?key=1&s=");
  check("\n  /lm\n  https://backup.example/lm\n", "/lm?s=");
});

test("what is no script's tag says nothing, and one of SVG has no address to be beside", () => {
  const check = (dataset, tag) => {
    const { sent } = installed(dataset, [["increment", "a_total"]], tag);
    assert.match(sent[0][0], /^\/lm\?s=\d+$/);
  };
  // `<img name="currentScript" data-url="…">`, which a page may let anybody write.
  check({ url: "https://evil.example/lm" }, { localName: "img", src: "https://evil.example/lm.js" });
  check({}, { localName: "script" });
});

test("a wrong call is told, and harms no other", () => {
  const check = (...wrong) => {
    const { call, sent, said } = installed({}, [["increment", "a_total"], wrong, ["increment", "b_total"]]);
    assert.deepEqual(sent.map(([, members]) => members), [{ a_total: 1, b_total: 1 }]);
    assert.equal(said.length, 1, said.join());
    call(...wrong);
    assert.equal(said.length, 2, said.join());
  };
  check("no-such-thing");
  check();
  check("__proto__");
  check("page", 7);
  check("increment", "c_total", {}, NaN);
  check("increment", "c_total", { of: Object.create(null) });
  check("observe", "c_seconds", { get of() { throw new Error("nothing"); } }, 1);
});
