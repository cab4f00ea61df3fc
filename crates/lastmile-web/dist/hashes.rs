// Written by `npm run build`: each script's name, how its path names it, and its integrity.
pub(crate) const HASHES: [(&str, &str, &str); 3] = [
    ("lastmile.js", "2d4be21e85965c58", "sha384-9o/GZ0wZy1T0uWGBC8rzts75s9Oopfn9JkpKaTy8Pnt/3ed5Mq1vruNuycd/XThN"),
    ("lastmile-core.js", "991faf2635d5fd3c", "sha384-XRXcvbuTCfQBg5ZH43kfo3hae4uoEHQoFqONxnNIhMGMx2WAJSwebSHtsBcLuhlq"),
    ("aggregatorClient.js", "f41409944caa5cd5", "sha384-q3q/kX55USDiQJ894xU6SqBp5fbJT/xTVNxcYamPp9K9rvhvB1vb+r/AFzXgPU7L"),
];
