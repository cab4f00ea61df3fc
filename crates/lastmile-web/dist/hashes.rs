// Written by `npm run build`: each script's name, how its path names it, and its integrity.
pub(crate) const HASHES: [(&str, &str, &str); 3] = [
    ("lastmile.js", "e05c31a02f919e81", "sha384-2n+tIFbZkDcPS4MWeZmISsnxuIwjc/cydYak7pCmhFew4N2MEXFkgp/G4l2QPFLg"),
    ("lastmile-core.js", "d0f423c51c7a8575", "sha384-sIkfX6J03/PPvy/fuVJF9Q4Q2Gm02xoHcz2fA8/tF1acT09RouoOlMe+HYyMWfoD"),
    ("aggregatorClient.js", "dd1c5ee2eb5750ce", "sha384-ms/oe4+Vx+udI9J51d9JylNix4dHfFLGrjNM1Z9Te0JYejH2LY0cJYHOk7nXT8MF"),
];
