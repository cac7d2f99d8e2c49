//! Owns attributes of agents as operators write them: `rack:r1;size:4;ports:[1-5,8-9];disks:{hdd,ssd}`, Mesos's form.

use swan_core::mesos::{Attribute, AttributeValue};

/// Reads attributes. An error says which part is wrong and what would be right.
pub fn parse(text: &str) -> Result<Vec<Attribute>, String> {
    let parts = text.split(';').map(str::trim).filter(|part| !part.is_empty());
    parts.map(attribute).collect()
}

fn attribute(part: &str) -> Result<Attribute, String> {
    let named =
        part.split_once(':').filter(|(name, value)| !name.trim().is_empty() && !value.trim().is_empty());
    let (name, value) = named.ok_or_else(|| format!("'{part}' must be NAME:VALUE, as rack:r1"))?;
    Ok(Attribute { name: name.trim().into(), value: value_of(value.trim())? })
}

fn value_of(text: &str) -> Result<AttributeValue, String> {
    if let Some(inner) = text.strip_prefix('[') {
        let inner = inner.strip_suffix(']').ok_or_else(|| format!("'{text}' must end with ']'"))?;
        return inner.split(',').map(range).collect::<Result<_, _>>().map(AttributeValue::Ranges);
    }
    if let Some(inner) = text.strip_prefix('{') {
        let inner = inner.strip_suffix('}').ok_or_else(|| format!("'{text}' must end with '}}'"))?;
        return Ok(AttributeValue::Set(inner.split(',').map(|item| item.trim().to_owned()).collect()));
    }
    Ok(thousandths(text).map_or_else(|| AttributeValue::Text(text.into()), AttributeValue::Scalar))
}

fn range(text: &str) -> Result<(u64, u64), String> {
    let wrong = || format!("'{text}' must be a range, as 1-5");
    let (low, high) = text.trim().split_once('-').ok_or_else(wrong)?;
    let number = |text: &str| text.trim().parse::<u64>().map_err(|_| wrong());
    Ok((number(low)?, number(high)?))
}

/// A decimal number in thousandths; `None` if it is none, or has more digits than that.
fn thousandths(text: &str) -> Option<i64> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(rest) || rest.len() > 3 {
        return None;
    }
    format!("{whole}{rest:0<3}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_attribute_is_read() {
        let read =
            parse("rack:r1; size:4.5;ports:[1-5, 8-9];disks:{hdd, ssd};url:http://x").expect("attributes");
        let value = |name: &str| {
            let found = read.iter().find(|attribute| attribute.name == name);
            found.map(|attribute| attribute.value.clone()).expect(name)
        };
        assert_eq!(value("rack"), AttributeValue::Text("r1".into()));
        assert_eq!(value("size"), AttributeValue::Scalar(4_500));
        assert_eq!(value("ports"), AttributeValue::Ranges(vec![(1, 5), (8, 9)]));
        assert_eq!(value("disks"), AttributeValue::Set(vec!["hdd".into(), "ssd".into()]));
        assert_eq!(value("url"), AttributeValue::Text("http://x".into()));
        assert_eq!(parse(""), Ok(vec![]));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for wrong in ["rack", ":r1", "rack:", "ports:[1-5", "ports:[1]", "disks:{a"] {
            let error = parse(wrong).expect_err(wrong);
            assert!(error.contains("must"), "{wrong}: {error}");
        }
    }
}
