/**
 * A path without what names a person or a thing, by the rule of the server: a segment with a digit, an `@`, or more than
 * 24 characters becomes `:id`. Next.js' `[id]` is `:id`, and what comes behind the path goes.
 */
export const template = (path: string): string =>
  path
    .replace(/[?#].*/s, "")
    .replace(/\[+\.*(\w+)\]+/g, ":$1")
    .split("/")
    .map((segment) => (/[\d@]/.test(segment) || [...segment].length > 24 ? ":id" : segment))
    .join("/");
