//! Maps the errors of use cases to problem documents. No other module does.

use actix_web::http::StatusCode;
use glasshouse_domain::cancel::CancelError;
use glasshouse_domain::checkout::{CheckoutError, ReserveError};
use glasshouse_domain::failure::{AuthorityLost, StoreFailure};
use glasshouse_domain::idempotency::KeyReused;
use glasshouse_domain::login::{HashingFailed, LoginError};
use glasshouse_domain::password_change::PasswordChangeError;
use glasshouse_domain::password_reset::PasswordResetError;
use glasshouse_domain::product::{ProductError, StockError};
use glasshouse_domain::refund::RefundError;
use glasshouse_domain::report::ReportError;
use glasshouse_domain::sign_up::SignUpError;
use glasshouse_domain::user::{UserChangeRefused, UserError};
use glasshouse_infra::passwords::QueueFull;
use glasshouse_infra::tokens::TokenError;

use super::{Fields, Problem};

impl From<StoreFailure> for Problem {
    fn from(failure: StoreFailure) -> Self {
        match failure {
            StoreFailure::Unavailable(_) => {
                Self::unavailable("storage_unavailable", "the database is temporarily unavailable: retry")
                    .because(failure)
            }
            StoreFailure::Unexpected(_) => Self::internal(failure),
            StoreFailure::AuthorityLost(lost) => lost.into(),
        }
    }
}

impl From<AuthorityLost> for Problem {
    fn from(lost: AuthorityLost) -> Self {
        match lost {
            AuthorityLost::Deactivated => Self::new(StatusCode::UNAUTHORIZED, "user_inactive", lost),
            AuthorityLost::SessionEnded => Self::new(StatusCode::UNAUTHORIZED, "session_ended", lost),
            AuthorityLost::Demoted => Self::new(StatusCode::FORBIDDEN, "role_changed", lost),
        }
    }
}

impl From<KeyReused> for Problem {
    fn from(error: KeyReused) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused", error)
    }
}

impl From<HashingFailed> for Problem {
    fn from(error: HashingFailed) -> Self {
        Self::internal(error)
    }
}

impl From<QueueFull> for Problem {
    fn from(error: QueueFull) -> Self {
        Self::unavailable("overloaded", error)
    }
}

impl From<SignUpError> for Problem {
    fn from(error: SignUpError) -> Self {
        match error {
            SignUpError::SlugTaken => Self::conflict("slug_taken", error),
            SignUpError::Hashing(error) => error.into(),
            SignUpError::Store(failure) => failure.into(),
        }
    }
}

impl From<LoginError> for Problem {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::WrongCredentials => Self::new(StatusCode::UNAUTHORIZED, "wrong_credentials", error),
            LoginError::Hashing(error) => error.into(),
            LoginError::Store(failure) => failure.into(),
        }
    }
}

impl From<PasswordChangeError> for Problem {
    fn from(error: PasswordChangeError) -> Self {
        match error {
            PasswordChangeError::WrongPassword => Self::new(StatusCode::FORBIDDEN, "wrong_password", error),
            PasswordChangeError::Hashing(error) => error.into(),
            PasswordChangeError::Store(failure) => failure.into(),
        }
    }
}

impl From<PasswordResetError> for Problem {
    fn from(error: PasswordResetError) -> Self {
        match error {
            PasswordResetError::WrongToken => Self::new(StatusCode::FORBIDDEN, "wrong_reset_token", error),
            PasswordResetError::Hashing(error) => error.into(),
            PasswordResetError::Store(failure) => failure.into(),
        }
    }
}

impl From<TokenError> for Problem {
    fn from(error: TokenError) -> Self {
        let code = match error {
            TokenError::Expired => "token_expired",
            TokenError::Invalid => "token_invalid",
        };
        Self::new(StatusCode::UNAUTHORIZED, code, error)
    }
}

impl From<UserError> for Problem {
    fn from(error: UserError) -> Self {
        match error {
            UserError::NotFound => Self::not_found(error),
            UserError::EmailTaken => Self::conflict("email_taken", error),
            UserError::VersionMismatch => version_mismatch(error),
            UserError::Refused(refused) => refused.into(),
            UserError::Store(failure) => failure.into(),
        }
    }
}

impl From<UserChangeRefused> for Problem {
    fn from(refused: UserChangeRefused) -> Self {
        match refused {
            UserChangeRefused::RoleTooLow => Self::new(StatusCode::FORBIDDEN, "role_too_low", refused),
            UserChangeRefused::LastOwner => Self::conflict("last_owner", refused),
        }
    }
}

impl From<ProductError> for Problem {
    fn from(error: ProductError) -> Self {
        match error {
            ProductError::NotFound => Self::not_found(error),
            ProductError::SkuTaken => Self::conflict("sku_taken", error),
            ProductError::VersionMismatch => version_mismatch(error),
            ProductError::Store(failure) => failure.into(),
        }
    }
}

impl From<StockError> for Problem {
    fn from(error: StockError) -> Self {
        match error {
            StockError::NotFound => Self::not_found(error),
            StockError::BelowZero { .. } | StockError::AboveMaximum { .. } => {
                Self::conflict("stock_out_of_range", error)
            }
            StockError::KeyReused(reused) => reused.into(),
            StockError::Store(failure) => failure.into(),
        }
    }
}

impl From<ReportError> for Problem {
    fn from(error: ReportError) -> Self {
        match error {
            ReportError::SumTooLarge { .. } => Self::conflict("sum_too_large", error),
            ReportError::Store(failure) => failure.into(),
        }
    }
}

impl From<CheckoutError> for Problem {
    fn from(error: CheckoutError) -> Self {
        match error {
            CheckoutError::Reserve(ReserveError::Pricing(error)) => Fields::only("items", error),
            CheckoutError::Reserve(ReserveError::OutOfStock { .. }) => Self::conflict("out_of_stock", error),
            CheckoutError::Reserve(ReserveError::KeyReused(reused)) => reused.into(),
            CheckoutError::Reserve(ReserveError::Store(failure)) | CheckoutError::Settle(failure) => {
                failure.into()
            }
        }
    }
}

impl From<CancelError> for Problem {
    fn from(error: CancelError) -> Self {
        match error {
            CancelError::NotFound => Self::not_found(error),
            CancelError::NotYours => Self::new(StatusCode::FORBIDDEN, "not_your_order", error),
            CancelError::NotPending(_) => Self::conflict("order_not_pending", error),
            CancelError::KeyReused(reused) => reused.into(),
            CancelError::Store(failure) => failure.into(),
        }
    }
}

impl From<RefundError> for Problem {
    fn from(error: RefundError) -> Self {
        match error {
            RefundError::NotFound => Self::not_found(error),
            RefundError::NotRefundable(_) => Self::conflict("payment_not_refundable", error),
            RefundError::KeyReused(reused) => reused.into(),
            RefundError::Store(failure) => failure.into(),
        }
    }
}

fn version_mismatch(error: impl std::fmt::Display) -> Problem {
    Problem::new(StatusCode::PRECONDITION_FAILED, "changed_meanwhile", error)
}
