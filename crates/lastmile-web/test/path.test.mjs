import assert from "node:assert/strict";
import { test } from "node:test";

import { load } from "./support/load.mjs";

const { template } = load(["path"]);

const check = (path, wanted) => {
  assert.equal(template(path), wanted, path);
  assert.equal(template(wanted), wanted, `the template of ${wanted}`);
};

// The same as in the server's `schema/template.rs`: a page is called by one name, whoever makes it.
test("segments that name one thing become a placeholder, as they do on the server", () => {
  check("", "");
  check("/", "/");
  check("/home", "/home");
  check("/users/42", "/users/:id");
  check("/users/42/", "/users/:id/");
  check("/users/:id", "/users/:id");
  check("/v2/a1b/list", "/:id/:id/list");
  check("/invite/ann@school.example", "/invite/:id");
  check("/search?q=secret", "/search");
  check("/app#/inner", "/app");
  check("?", "");
  check("//", "//");
  check(`/${"a".repeat(24)}/x`, `/${"a".repeat(24)}/x`);
  check(`/${"a".repeat(25)}/x`, "/:id/x");
  check(`/${"é".repeat(24)}`, `/${"é".repeat(24)}`);
  check(`/${"é".repeat(25)}`, "/:id");
  check("/%20", "/:id");
});

test("characters are counted, not halves of them", () => {
  check(`/${"😀".repeat(24)}`, `/${"😀".repeat(24)}`);
  check(`/${"😀".repeat(25)}`, "/:id");
});

test("what comes behind the path goes, whatever it holds", () => {
  check("/search?q=a/b\n/c", "/search");
  check("/search#a?b\u2028/c", "/search");
});

test("a router's own way to write a parameter is understood", () => {
  check("/users/[id]", "/users/:id");
  check("/posts/[postId]/edit", "/posts/:postId/edit");
  check("/docs/[...slug]", "/docs/:slug");
  check("/shop/[[...rest]]", "/shop/:rest");
});
