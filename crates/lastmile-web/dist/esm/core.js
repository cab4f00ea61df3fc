/*! lastmile 0.1.0, MIT OR Apache-2.0; web-vitals 5.3.0, Copyright Google LLC, Apache-2.0 */
import {
  flush,
  increment,
  init,
  observe,
  page,
  start,
  stop
} from "./shared.js";
export {
  flush,
  increment,
  init,
  observe,
  page,
  start,
  stop
};
