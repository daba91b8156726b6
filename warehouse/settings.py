"""Every setting of the project, in one typed class."""

import os
from decimal import Decimal
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from warehouse.errors import UserError


class Settings(BaseSettings):
    """Settings from the environment; the entry point adds `.env` and files to it.

    A setting that is present but empty counts as unset. AWS credentials are no settings
    of ours: boto3 finds them by its own chain (environment, profile, instance role).
    """

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore")

    database_url: str | None = Field(
        default=None,
        repr=False,
        description="PostgreSQL 16 or newer, as `postgresql://user:password@host/db`. "
        "Unset: the embedded Postgres of the sandbox.",
    )
    api_database_url: str | None = Field(
        default=None,
        repr=False,
        description="A login or a replica of its own for the API. "
        "Unset: `DATABASE_URL`.",
    )
    admin_database_url: str | None = Field(
        default=None,
        repr=False,
        description="A login that may create roles, for `make roles` alone. "
        "Unset: `DATABASE_URL`.",
    )
    aws_region: str = Field(
        default="ap-northeast-1",
        description="Region of the bucket; what its transfer costs depends on it.",
    )
    aws_s3_bucket: str = Field(
        default="artemis-hyperliquid-data", description="Bucket of the parquet objects."
    )
    aws_s3_prefix: str = Field(
        default="raw/twap_statuses/",
        description="Where in the bucket the objects lie.",
    )
    aws_request_payer: Literal["requester", ""] = Field(
        default="requester",
        description="`requester` agrees to pay for the requests, as the bucket asks.",
    )
    aws_endpoint_url: str | None = Field(
        default=None, description="Another S3 endpoint than Amazon's own."
    )
    elt_max_cost_usd: Decimal | None = Field(
        default=None,
        ge=0,
        description="A run that would cost more stops before it fetches.",
    )
    dlt_data_dir: str | None = Field(
        default=None,
        description="Folder of dlt's working state; may be lost. Unset: `.local/dlt`.",
    )
    api_host: str = Field(
        default="127.0.0.1", description="Address that the API listens on."
    )
    api_port: int = Field(
        default=8000, ge=0, le=65535, description="Port that the API listens on."
    )
    cors_origins: str = Field(
        default="*",
        description="Origins whose pages may read the API, separated by commas.",
    )
    api_keys: str | None = Field(
        default=None,
        repr=False,
        description="Keys of 16 or more characters, separated by commas; callers of "
        "the API must present one. Unset: it is open.",
    )
    api_workers: int = Field(
        default=1,
        ge=1,
        le=64,
        description="Processes that answer; "
        "each has connections to Postgres of its own.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="The least severe log line that is written."
    )
    log_format: Literal["json", "text"] = Field(
        default="text", description="`json` for machines, `text` for people."
    )


def load_settings() -> Settings:
    """Return the settings of this process, from the environment or files of secrets.

    Raises UserError, naming each setting that cannot be read and why.
    """
    try:
        return Settings(_secrets_dir=_folders_of_secrets())  # type: ignore[call-arg]  # documented, and not typed
    except SettingsError as error:
        raise UserError(
            f"A setting cannot be read: {error}: {error.__cause__}. "
            "Let this login read its file; README.md lists all settings."
        ) from None
    except ValidationError as error:
        # Never the input: it may be a secret.
        problems = "; ".join(
            f"{str(problem['loc'][0]).upper()}: {problem['msg']}"
            for problem in error.errors(include_input=False)
        )
        raise UserError(
            f"A setting cannot be read: {problems}. "
            "Mend it in the environment or in .env; README.md lists them all."
        ) from None


def _folders_of_secrets() -> list[Path]:
    """Where containers and systemd put files that hold a setting each."""
    folders = [Path("/run/secrets")]
    if "CREDENTIALS_DIRECTORY" in os.environ:
        folders.append(Path(os.environ["CREDENTIALS_DIRECTORY"]))
    return [folder for folder in folders if folder.is_dir()]
