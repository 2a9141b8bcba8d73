//! A mail's text in several languages.

use minijinja::{Environment, UndefinedBehavior};

/// The templates of a service's mails, by name and language.
///
/// `NAME.LANGUAGE.txt` begins with the line `Subject: …`, an empty line follows, then the text. `NAME.LANGUAGE.html` is
/// the same as HTML, where values are escaped. Other names are parts that these include or extend.
pub struct Templates {
    environment: Environment<'static>,
}

/// What a mail says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// One line.
    pub subject: String,
    /// As plain text.
    pub text: String,
    /// The same as HTML.
    pub html: String,
}

impl Templates {
    /// Compiles templates, given as name and source.
    ///
    /// # Errors
    /// When one does not parse.
    pub fn new(sources: &[(&'static str, &'static str)]) -> Result<Self, minijinja::Error> {
        let mut environment = Environment::new();
        // A value that a template names and nobody gives is a defect, not an empty place in a mail.
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        for (name, source) in sources {
            environment.add_template(name, source)?;
        }
        Ok(Self { environment })
    }

    /// Renders the mail `name` in `language`, such as `vi`; in English when there is no translation.
    ///
    /// # Errors
    /// When there is no such mail, or it needs a value that is not given.
    pub fn render(
        &self,
        name: &str,
        language: &str,
        values: &minijinja::Value,
    ) -> Result<Content, minijinja::Error> {
        let text = self.part(name, language, "txt")?.render(values.clone())?;
        let html = self.part(name, language, "html")?.render(values.clone())?;
        let (subject, text) = text
            .strip_prefix("Subject: ")
            .and_then(|text| text.split_once("\n\n"))
            .ok_or_else(|| {
                let why = format!("{name}.{language}.txt does not begin with a subject and an empty line");
                minijinja::Error::new(minijinja::ErrorKind::SyntaxError, why)
            })?;
        Ok(Content {
            subject: one_line(subject),
            text: text.to_owned(),
            html,
        })
    }

    fn part(
        &self,
        name: &str,
        language: &str,
        kind: &str,
    ) -> Result<minijinja::Template<'_, '_>, minijinja::Error> {
        let own = self
            .environment
            .get_template(&format!("{name}.{language}.{kind}"));
        own.or_else(|_| self.environment.get_template(&format!("{name}.en.{kind}")))
    }
}

/// Control characters, above all line ends, become spaces: a value cannot begin another header (RFC 5322, section 2.2).
pub(crate) fn one_line(text: &str) -> String {
    let words: Vec<&str> = text
        .split(|c: char| c.is_control() || c == '\u{2028}' || c == '\u{2029}')
        .filter(|word| !word.is_empty())
        .collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn templates() -> Templates {
        Templates::new(&[
            ("hello.en.txt", "Subject: Hello {{ name }}\n\nDear {{ name }}\n"),
            ("hello.en.html", "<p>Dear {{ name }}</p>"),
            ("hello.vi.txt", "Subject: Xin chào\n\nChào {{ name }}\n"),
            ("hello.vi.html", "<p>Chào {{ name }}</p>"),
        ])
        .unwrap()
    }

    #[test]
    fn html_is_escaped_and_text_is_not() {
        let values = minijinja::context! { name => "<b>\r\nBcc: eve@example.com" };
        let content = templates().render("hello", "en", &values).unwrap();
        assert_eq!(content.subject, "Hello <b> Bcc: eve@example.com");
        assert!(content.text.starts_with("Dear <b>"), "{}", content.text);
        assert!(content.html.starts_with("<p>Dear &lt;b&gt;"), "{}", content.html);
    }

    #[test]
    fn languages_fall_back_and_missing_values_are_refused() {
        let values = minijinja::context! { name => "Ada" };
        let render = |language| templates().render("hello", language, &values).unwrap().subject;
        assert_eq!(
            (render("vi").as_str(), render("fr").as_str()),
            ("Xin chào", "Hello Ada")
        );
        assert!(
            templates()
                .render("hello", "en", &minijinja::context! {})
                .is_err()
        );
        assert!(templates().render("bye", "en", &values).is_err());
    }
}
