import { collectors } from "../collect/core.js";
import { install } from "../tag.js";

install("lastmile", collectors(), {});
