//! What the pages say, in every language.

use crate::language::Language;
use crate::password_rules::PasswordFault;

/// A page's heading and its text.
pub(crate) struct Notice {
    pub(crate) title: &'static str,
    pub(crate) text: &'static str,
}

/// The texts of one language.
pub(crate) struct Texts {
    pub(crate) tag: &'static str,
    pub(crate) error: &'static str,
    pub(crate) email: &'static str,
    pub(crate) password: &'static str,
    pub(crate) repeat: &'static str,
    pub(crate) sign_in: &'static str,
    pub(crate) not_signed_in: &'static str,
    pub(crate) continue_to: &'static str,
    pub(crate) forgot_link: &'static str,
    pub(crate) refused: &'static str,
    pub(crate) signed_in: Notice,
    pub(crate) form_expired: Notice,
    pub(crate) sign_out: Notice,
    pub(crate) sign_out_for: &'static str,
    pub(crate) sign_out_button: &'static str,
    pub(crate) invitation: Notice,
    pub(crate) reset: Notice,
    pub(crate) choose_button: &'static str,
    pub(crate) password_rule: &'static str,
    pub(crate) not_chosen: &'static str,
    pub(crate) not_the_same: &'static str,
    pub(crate) password_set: Notice,
    pub(crate) forgot: Notice,
    pub(crate) forgot_button: &'static str,
    pub(crate) not_an_address: &'static str,
    pub(crate) mail_sent: Notice,
    pub(crate) too_many: &'static str,
    pub(crate) verification: Notice,
    pub(crate) verification_button: &'static str,
    pub(crate) verified: Notice,
    pub(crate) address_taken: Notice,
    pub(crate) dead_link: Notice,
    pub(crate) new_link: &'static str,
    too_short: &'static str,
    too_long: &'static str,
    common: &'static str,
    personal: &'static str,
}

impl Texts {
    /// The texts of a language.
    #[must_use]
    pub(crate) fn of(language: Language) -> &'static Self {
        match language {
            Language::En => &EN,
            Language::Vi => &VI,
        }
    }

    /// The texts that the templates name themselves.
    #[must_use]
    pub(crate) fn for_template(&self) -> minijinja::Value {
        minijinja::context! {
            tag => self.tag,
            error => self.error,
            email => self.email,
            password => self.password,
            repeat => self.repeat,
            sign_in => self.sign_in,
            not_signed_in => self.not_signed_in,
            continue_to => self.continue_to,
            forgot_link => self.forgot_link,
            sign_out_for => self.sign_out_for,
            sign_out_button => self.sign_out_button,
            choose_button => self.choose_button,
            password_rule => self.password_rule,
            not_chosen => self.not_chosen,
            forgot_button => self.forgot_button,
            verification_button => self.verification_button,
        }
    }

    /// Why a password may not be chosen.
    #[must_use]
    pub(crate) fn fault(&self, fault: PasswordFault) -> &'static str {
        match fault {
            PasswordFault::TooShort => self.too_short,
            PasswordFault::TooLong => self.too_long,
            PasswordFault::Common => self.common,
            PasswordFault::Personal => self.personal,
        }
    }

    /// `too_many` with the time to wait, in seconds below two minutes and in minutes from there, rounded up.
    #[must_use]
    pub(crate) fn wait(&self, seconds: i64) -> String {
        let (number, unit) = match (self.tag, seconds) {
            ("vi", ..120) => (seconds, "giây"),
            ("vi", _) => ((seconds + 59) / 60, "phút"),
            (_, 1) => (1, "second"),
            (_, ..120) => (seconds, "seconds"),
            _ => ((seconds + 59) / 60, "minutes"),
        };
        self.too_many.replace("{time}", &format!("{number} {unit}"))
    }
}

static EN: Texts = Texts {
    tag: "en",
    error: "Error:",
    email: "E-mail",
    password: "Password",
    repeat: "The same password again",
    sign_in: "Sign in",
    not_signed_in: "You are not signed in",
    continue_to: "to continue to",
    forgot_link: "Forgot your password?",
    refused: "That did not work. Check the e-mail and the password; after several tries, wait a few minutes.",
    signed_in: Notice {
        title: "Signed in",
        text: "You are signed in to Stoa. You can go back to the application.",
    },
    form_expired: Notice {
        title: "This form is no longer valid",
        text: "Allow cookies for this site, go back, load the page again and repeat.",
    },
    sign_out: Notice {
        title: "Sign out?",
        text: "Applications that use this sign-in will ask for your password again.",
    },
    sign_out_for: "asks to sign you out.",
    sign_out_button: "Sign out",
    invitation: Notice {
        title: "Welcome to Stoa",
        text: "Choose the password that you will sign in with.",
    },
    reset: Notice {
        title: "Choose a new password",
        text: "You will be signed out everywhere and sign in again with the new password.",
    },
    choose_button: "Set the password",
    password_rule: "12 to 200 characters. Several words that do not belong together are good.",
    not_chosen: "The password is not set",
    not_the_same: "The two passwords are not the same.",
    password_set: Notice {
        title: "The password is set",
        text: "You can sign in with it now.",
    },
    forgot: Notice {
        title: "Forgot your password?",
        text: "Tell us the e-mail that you sign in with. We send you a link to choose a new password.",
    },
    forgot_button: "Send the link",
    not_an_address: "Type an e-mail address, such as ada@example.com.",
    mail_sent: Notice {
        title: "Look into your mailbox",
        text: "If somebody signs in with this e-mail, a mail with a link is on its way. The link is good for one hour.",
    },
    too_many: "There were too many tries. Try again in {time}.",
    verification: Notice {
        title: "Confirm your e-mail",
        text: "From then on you sign in with this address:",
    },
    verification_button: "Confirm",
    verified: Notice {
        title: "The e-mail is confirmed",
        text: "You sign in with this address from now on.",
    },
    address_taken: Notice {
        title: "This address is in use",
        text: "Somebody else signs in with this address by now. Ask your administrator for another one.",
    },
    dead_link: Notice {
        title: "This link does not work any more",
        text: "It was used already, is too old, or a newer one was sent. Use the newest mail.",
    },
    new_link: "Get a new link",
    too_short: "Use at least 12 characters.",
    too_long: "Use at most 200 characters.",
    common: "Many people use this password or one like it, so it is guessed first. Choose another one.",
    personal: "The e-mail and the name are guessed first. Choose another password.",
};

static VI: Texts = Texts {
    tag: "vi",
    error: "Lỗi:",
    email: "E-mail",
    password: "Mật khẩu",
    repeat: "Nhập lại mật khẩu",
    sign_in: "Đăng nhập",
    not_signed_in: "Bạn chưa đăng nhập được",
    continue_to: "để tiếp tục vào",
    forgot_link: "Quên mật khẩu?",
    refused: "Không đăng nhập được. Hãy kiểm tra e-mail và mật khẩu; sau vài lần thử, hãy đợi vài phút.",
    signed_in: Notice {
        title: "Đã đăng nhập",
        text: "Bạn đã đăng nhập vào Stoa. Bạn có thể quay lại ứng dụng.",
    },
    form_expired: Notice {
        title: "Biểu mẫu này không còn hiệu lực",
        text: "Hãy cho phép cookie của trang này, quay lại, tải lại trang và thử lại.",
    },
    sign_out: Notice {
        title: "Đăng xuất?",
        text: "Các ứng dụng dùng lần đăng nhập này sẽ hỏi lại mật khẩu của bạn.",
    },
    sign_out_for: "yêu cầu đăng xuất.",
    sign_out_button: "Đăng xuất",
    invitation: Notice {
        title: "Chào mừng bạn đến với Stoa",
        text: "Hãy chọn mật khẩu mà bạn sẽ dùng để đăng nhập.",
    },
    reset: Notice {
        title: "Chọn mật khẩu mới",
        text: "Bạn sẽ được đăng xuất ở mọi nơi và đăng nhập lại bằng mật khẩu mới.",
    },
    choose_button: "Đặt mật khẩu",
    password_rule: "Từ 12 đến 200 ký tự. Nên dùng vài từ không liên quan đến nhau.",
    not_chosen: "Mật khẩu chưa được đặt",
    not_the_same: "Hai mật khẩu không giống nhau.",
    password_set: Notice {
        title: "Mật khẩu đã được đặt",
        text: "Bây giờ bạn có thể đăng nhập bằng mật khẩu này.",
    },
    forgot: Notice {
        title: "Quên mật khẩu?",
        text: "Hãy cho biết e-mail bạn dùng để đăng nhập. Chúng tôi sẽ gửi liên kết để bạn chọn mật khẩu mới.",
    },
    forgot_button: "Gửi liên kết",
    not_an_address: "Hãy nhập một địa chỉ e-mail, ví dụ ada@example.com.",
    mail_sent: Notice {
        title: "Hãy xem hộp thư của bạn",
        text: "Nếu có người đăng nhập bằng e-mail này, một thư có liên kết đang được gửi đi. Liên kết có hiệu lực trong một giờ.",
    },
    too_many: "Đã thử quá nhiều lần. Hãy thử lại sau {time}.",
    verification: Notice {
        title: "Xác nhận e-mail của bạn",
        text: "Từ lúc đó bạn đăng nhập bằng địa chỉ này:",
    },
    verification_button: "Xác nhận",
    verified: Notice {
        title: "E-mail đã được xác nhận",
        text: "Từ bây giờ bạn đăng nhập bằng địa chỉ này.",
    },
    address_taken: Notice {
        title: "Địa chỉ này đã được dùng",
        text: "Người khác đang đăng nhập bằng địa chỉ này. Hãy hỏi quản trị viên để có địa chỉ khác.",
    },
    dead_link: Notice {
        title: "Liên kết này không còn dùng được",
        text: "Liên kết đã được dùng, đã quá cũ, hoặc đã có liên kết mới hơn. Hãy dùng thư mới nhất.",
    },
    new_link: "Nhận liên kết mới",
    too_short: "Hãy dùng ít nhất 12 ký tự.",
    too_long: "Hãy dùng nhiều nhất 200 ký tự.",
    common: "Nhiều người dùng mật khẩu này hoặc tương tự, nên nó bị đoán trước tiên. Hãy chọn mật khẩu khác.",
    personal: "E-mail và tên bị đoán trước tiên. Hãy chọn mật khẩu khác.",
};

#[cfg(test)]
mod tests {
    use super::*;

    // covers: ID-05
    #[test]
    fn the_time_to_wait_is_said_in_the_reader_s_words() {
        let en = |seconds| EN.wait(seconds);
        assert!(en(1).ends_with("in 1 second."));
        assert!(en(30).ends_with("in 30 seconds."));
        assert!(en(121).ends_with("in 3 minutes."));
        assert!(en(900).ends_with("in 15 minutes."));
        assert!(VI.wait(900).ends_with("sau 15 phút."));
    }
}
