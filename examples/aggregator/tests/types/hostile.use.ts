// `hostile.ts` declares what its schema says, and nothing that a name, a value or a text in it would like to.

import { increment, observe } from "lastmile";

import * as declared from "./hostile.js";

increment("*/ export const x = 1; /*", { '"]: 1; x': '"; export const y = 1; "' });
increment("*/ export const x = 1; /*", { '"]: 1; x': "back\\slash" });
increment("*/ export const x = 1; /*", { '"]: 1; x': "${y} `" });
increment("*/ export const x = 1; /*", { '"]: 1; x': "" });
increment("two\nlines", { "tab\tand\u2028separator": "\r\n" });
increment("two\nlines", { "tab\tand\u2028separator": "\u202ekcab\u202c" });
increment("two\nlines", { "tab\tand\u2028separator": "\u{e0041}" });
increment("héé 日本 😀", { ключ: "😀" });
increment("constructor", { toString: "a", constructor: "b", new: "c" });
observe("__proto__", { readonly: "a", get: "b", set: "c" }, 1);
observe("readonly", {}, 1);
observe("new", {}, 1);
observe("get", {}, 1);
observe("1", { "1e3": "1", "[key: string]": "a" }, 1);
observe("1x", { "-": "a" }, 1);

// @ts-expect-error: a value that is not listed
increment("two\nlines", { "tab\tand\u2028separator": "kcab" });
// @ts-expect-error: it has one property by that name, and takes no other
observe("1", { "1e3": "1", "[key: string]": "a", b: "c" }, 1);
// @ts-expect-error: it stands in a comment and in literals alone
void declared.x;
// @ts-expect-error: the same
void declared.y;
