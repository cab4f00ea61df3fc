// Written by `npm run build`: each script's name, how its path names it, and its integrity.
pub(crate) const HASHES: [(&str, &str, &str); 3] = [
    ("lastmile.js", "3cb88a0891476ef5", "sha384-1ttmIKlq02MzGBbAVfjqA1zcXzvmPu48RZynHhU5PgbL7z/IaKQSXZZsed8eXxOk"),
    ("lastmile-core.js", "cf747ee9385a03b1", "sha384-YWjLE4cprvvcoxSp7JgGNiYvGQvfWNPM+pFOAaRgTEB9oScp5/1L/ehArJvGScmG"),
    ("aggregatorClient.js", "51916655e19c45dc", "sha384-q1vF2wura5inlHqgo2VhQtkijroH8JxU6U5A6LN+sCgsUADOhFgPGnUqP5WLwBcx"),
];
