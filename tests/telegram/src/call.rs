//! One call of a method, in whatever form it came: JSON, multipart, a form or a query string. Everything after this sees fields with
//! names. A field of the wrong type is refused with its name.

use crate::refusal::Refusal;
use axum::extract::multipart::{Multipart, MultipartError};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The bytes of a file that came with a call.
#[derive(Clone)]
pub(crate) struct Upload {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

/// A method's name and its parameters.
#[derive(Clone, Default)]
pub(crate) struct Call {
    /// As Telegram spells it, or in lower case when there is no such method.
    pub(crate) method: String,
    pub(crate) fields: Map<String, Value>,
    files: BTreeMap<String, Upload>,
}

impl Call {
    pub(crate) fn of(method: String) -> Call {
        Call { method, ..Call::default() }
    }

    /// Adds the fields of a query string or of a form.
    pub(crate) fn add_form(&mut self, form: &str) {
        for pair in form.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            self.fields.insert(decoded(name, true), Value::String(decoded(value, true)));
        }
    }

    /// Adds the fields of a JSON document.
    pub(crate) fn add_json(&mut self, body: &[u8]) -> Result<(), Refusal> {
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(());
        }
        match serde_json::from_slice(body) {
            Ok(Value::Object(fields)) => self.fields.extend(fields),
            Ok(_) => return Err(Refusal::bad_request("can't parse request: expected an Object")),
            Err(error) => return Err(Refusal::bad_request(format_args!("can't parse JSON object: {error}"))),
        }
        Ok(())
    }

    /// Adds the fields and files of a multipart body. More than so many bytes in one part are refused.
    pub(crate) async fn add_multipart(&mut self, mut body: Multipart, limit_bytes: usize) -> Result<(), Refusal> {
        let broken = |error: MultipartError| Refusal::bad_request(format_args!("can't parse multipart body: {error}"));
        while let Some(mut part) = body.next_field().await.map_err(broken)? {
            let name = part.name().unwrap_or_default().to_owned();
            // A file without a name comes with an empty one.
            let file_name = part.file_name().map(str::to_owned);
            let mut bytes = Vec::new();
            while let Some(chunk) = part.chunk().await.map_err(broken)? {
                bytes.extend_from_slice(&chunk);
                if bytes.len() > limit_bytes {
                    return Err(Refusal::too_large());
                }
            }
            match file_name {
                Some(file_name) => drop(self.files.insert(name, Upload { name: file_name, bytes })),
                None => {
                    let text = String::from_utf8(bytes).map_err(|_| Refusal::bad_request("strings must be encoded in UTF-8"))?;
                    self.fields.insert(name, Value::String(text));
                }
            }
        }
        Ok(())
    }

    /// The field, unless it is absent, null or empty text.
    fn field(&self, name: &str) -> Option<&Value> {
        self.fields.get(name).filter(|value| !value.is_null() && *value != "")
    }

    /// A text, when there is one.
    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>, Refusal> {
        self.field(name).map(|value| value.as_str().ok_or_else(|| Refusal::ill_typed(name, "String"))).transpose()
    }

    /// A text that has to be there.
    pub(crate) fn required_text(&self, name: &str) -> Result<&str, Refusal> {
        self.text(name)?.ok_or_else(|| Refusal::required(name))
    }

    /// A whole number, written as one or as text.
    pub(crate) fn integer(&self, name: &str) -> Result<Option<i64>, Refusal> {
        let read = |value: &Value| value.as_i64().or_else(|| value.as_str()?.trim().parse().ok());
        self.field(name).map(|value| read(value).ok_or_else(|| Refusal::ill_typed(name, "Number"))).transpose()
    }

    /// Yes or no; no when there is nothing.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, Refusal> {
        match self.field(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(Value::String(text)) => match text.to_ascii_lowercase().as_str() {
                "true" | "yes" | "1" => Ok(true),
                "false" | "no" | "0" => Ok(false),
                _ => Err(Refusal::ill_typed(name, "Boolean")),
            },
            Some(_) => Err(Refusal::ill_typed(name, "Boolean")),
        }
    }

    /// An object or an array, written as one or as text.
    pub(crate) fn structure(&self, name: &str) -> Result<Option<Value>, Refusal> {
        match self.field(name) {
            None => Ok(None),
            Some(Value::String(text)) => match serde_json::from_str(text) {
                Ok(value @ (Value::Object(_) | Value::Array(_))) => Ok(Some(value)),
                Ok(_) => Err(Refusal::ill_typed(name, "Object or Array")),
                Err(_) => Err(Refusal::bad_request(format_args!("can't parse {name} JSON object"))),
            },
            Some(value @ (Value::Object(_) | Value::Array(_))) => Ok(Some(value.clone())),
            Some(_) => Err(Refusal::ill_typed(name, "Object or Array")),
        }
    }

    /// A list, written as one or as text.
    pub(crate) fn list(&self, name: &str) -> Result<Option<Vec<Value>>, Refusal> {
        match self.structure(name)? {
            None => Ok(None),
            Some(Value::Array(list)) => Ok(Some(list)),
            Some(_) => Err(Refusal::ill_typed(name, "Array")),
        }
    }

    /// A file that was sent under this name, or under the one that the field points to with `attach://`.
    pub(crate) fn file(&self, name: &str) -> Option<&Upload> {
        let pointed = self.field(name).and_then(Value::as_str).and_then(|text| text.strip_prefix("attach://"));
        self.files.get(pointed.unwrap_or(name))
    }
}

/// Text without its percent signs; in a form a plus is a space.
pub(crate) fn decoded(text: &str, form: bool) -> String {
    let (bytes, mut out, mut at) = (text.as_bytes(), Vec::with_capacity(text.len()), 0);
    while let Some(byte) = bytes.get(at) {
        let code = match byte {
            b'%' => text.get(at + 1..at + 3).and_then(|digits| u8::from_str_radix(digits, 16).ok()),
            _ => None,
        };
        at += if code.is_some() { 3 } else { 1 };
        out.push(code.unwrap_or(if form && *byte == b'+' { b' ' } else { *byte }));
    }
    String::from_utf8_lossy(&out).into_owned()
}
