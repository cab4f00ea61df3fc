import { collectors } from "../collect/all.js";
import { ping, ws } from "../index.js";
import { install } from "../tag.js";

install("lastmile", collectors(), { ping, ws });
