"""What S3's refusals mean, for the run and for one object."""

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    HTTPClientError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)

from ingestion.objects import ObjectFailed
from warehouse.errors import UserError

_BAD_CREDENTIALS = {
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidAccessKeyId",
    "InvalidToken",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "TokenRefreshRequired",
    "UnrecognizedClientException",
}
_WRONG_REGION = {
    "301",
    "307",
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
    "PermanentRedirect",
}


class ConnectionFailed(ObjectFailed):
    """This object failed for a reason that may lie in the network or the endpoint."""


def raise_user_error_if_hopeless(error: Exception, where: str) -> None:
    """Return when other requests may fare better; else raise UserError with why."""
    if isinstance(
        error, NoCredentialsError | PartialCredentialsError | ProfileNotFound
    ):
        raise UserError(
            f"No AWS credentials for {where}: {error}. Set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; the bucket lets nobody in unnamed."
        ) from None
    if isinstance(error, SSOError | TokenRetrievalError):
        raise UserError(
            f"The AWS login for {where} has ended: {error}. "
            "Log in again, such as by `aws sso login`, then run again."
        ) from None
    if isinstance(error, ParamValidationError):
        # Of what is asked, the name of the bucket alone has a form.
        raise _no_such_bucket(where) from None
    if not isinstance(error, ClientError):
        return
    code = _code(error)
    # It says too that the key is empty, as in a file of credentials not yet filled in.
    is_malformed = code == "AuthorizationHeaderMalformed"
    if code in _BAD_CREDENTIALS or (is_malformed and "region" not in _said(error)):
        raise UserError(
            f"S3 refuses the AWS credentials for {where}: {_said(error)}. "
            "Renew or correct them, then run again."
        ) from None
    if code == "NoSuchBucket":
        raise _no_such_bucket(where) from None
    if code in _WRONG_REGION:
        raise UserError(
            f"The bucket of {where} lies in another region: {_said(error)}. "
            f"Set AWS_REGION to {_region(error)}."
        ) from None


def listing_error(error: Exception, where: str) -> UserError:
    """Return why the bucket cannot be listed, and what to do."""
    if isinstance(error, ClientError) and _code(error) in ("AccessDenied", "403"):
        return UserError(
            f"S3 denies access to {where}: {_said(error)}. Requester pays: "
            "check that AWS_REQUEST_PAYER is `requester`, and that the AWS login may "
            "list and get it; docs/quickstart.md has a policy that lets it."
        )
    if isinstance(error, ConnectionError | HTTPClientError):
        return UserError(
            f"S3 cannot be reached ({where}): {_line(error)}. "
            "Check the network, AWS_REGION and AWS_ENDPOINT_URL."
        )
    return UserError(f"{where} cannot be listed: {_line(error)}. Try again later.")


def object_failure(error: BotoCoreError | ClientError) -> ObjectFailed:
    """Return why one object could not be fetched, in words."""
    if not isinstance(error, ClientError):
        return ConnectionFailed(f"no answer from S3: {_line(error)}")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if status == 403:
        return ObjectFailed(f"S3 denies access to it: {_said(error)}")
    if status == 404:
        return ObjectFailed("it was deleted between listing and fetching")
    if status == 412:
        return ObjectFailed(
            "it was published again between listing and fetching; the next run takes it"
        )
    if status >= 500:
        return ConnectionFailed(f"S3 answers {status} again and again: {_said(error)}")
    return ObjectFailed(f"S3 answers {status}: {_said(error)}")


def _no_such_bucket(where: str) -> UserError:
    return UserError(
        f"There is no such bucket: {where}. Check AWS_S3_BUCKET and AWS_ENDPOINT_URL."
    )


def _code(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Code", "")


def _region(error: ClientError) -> str:
    """Where S3 says that the bucket lies, if it does."""
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return str(headers.get("x-amz-bucket-region", "the bucket's own"))


def _said(error: ClientError) -> str:
    message = error.response.get("Error", {}).get("Message", "")
    return f"{_code(error)} {message}".strip()


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
