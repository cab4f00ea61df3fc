//! Just enough JSON to write: objects of numbers, strings and what is JSON already.

/// An object that is written member by member.
pub(crate) struct Object(String);

impl Object {
    pub(crate) fn new() -> Self {
        Self(String::from("{"))
    }

    pub(crate) fn number(mut self, name: &str, value: u64) -> Self {
        self.name(name);
        self.0.push_str(&value.to_string());
        self
    }

    pub(crate) fn string(mut self, name: &str, value: &str) -> Self {
        self.name(name);
        push_string(&mut self.0, value);
        self
    }

    pub(crate) fn object(mut self, name: &str, value: Self) -> Self {
        self.name(name);
        self.0.push_str(&value.finish());
        self
    }

    pub(crate) fn array(mut self, name: &str, values: impl Iterator<Item = Self>) -> Self {
        self.name(name);
        self.0.push('[');
        for (i, value) in values.enumerate() {
            if i > 0 {
                self.0.push(',');
            }
            self.0.push_str(&value.finish());
        }
        self.0.push(']');
        self
    }

    #[cfg(feature = "ws")]
    pub(crate) fn strings<'a>(mut self, name: &str, values: impl Iterator<Item = &'a str>) -> Self {
        self.name(name);
        self.0.push('[');
        for (i, value) in values.enumerate() {
            if i > 0 {
                self.0.push(',');
            }
            push_string(&mut self.0, value);
        }
        self.0.push(']');
        self
    }

    pub(crate) fn finish(mut self) -> String {
        self.0.push('}');
        self.0
    }

    fn name(&mut self, name: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        push_string(&mut self.0, name);
        self.0.push(':');
    }
}

/// Source: RFC 8259, §7: quotation mark, reverse solidus and U+0000 to U+001F are escaped.
fn push_string(json: &mut String, text: &str) {
    json.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => json.extend(['\\', c]),
            '\0'..='\x1f' => json.push_str(&format!("\\u{:04x}", u32::from(c))),
            _ => json.push(c),
        }
    }
    json.push('"');
}

#[cfg(test)]
mod tests {
    use super::Object;

    #[test]
    fn serde_json_reads_the_same() {
        let control: String = (0..=0x9f_u8).map(char::from).collect();
        let json = Object::new()
            .number("n", u64::MAX)
            .string(&control, "a\"b\\c")
            .object("none", Object::new())
            .array("list", [Object::new().string("é", "\u{10ffff}"), Object::new()].into_iter())
            .finish();
        let read: serde_json::Value = serde_json::from_str(&json).expect("it is JSON");
        let wanted = serde_json::json!({
            "n": u64::MAX, control: "a\"b\\c", "none": {}, "list": [{"é": "\u{10ffff}"}, {}],
        });
        assert_eq!(read, wanted);
    }
}
