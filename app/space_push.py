"""The folder of a Space onto the Hub."""

from pathlib import Path

from diffusion_core.errors import UserError


def token_for(name: str) -> str:
    """The token to push to the Space OWNER/NAME with; `UserError` for another kind of name, or without a token."""
    from huggingface_hub import get_token
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(name)
        is_name = name.count("/") == 1
    except HFValidationError:
        is_name = False
    if not is_name:
        raise UserError(f"{name!r} is no name of a Space. Give OWNER/NAME.")
    token = get_token()
    if not token:
        raise UserError("There is no token for the Hub. Run: hf auth login, or set HF_TOKEN.")
    return token


def push(folder: Path, name: str, token: str) -> str:
    """Create the Space if need be and make its files those of the folder, in one commit; returns its address."""
    import httpx
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    api = HfApi(token=token)
    try:
        url = api.create_repo(name, repo_type="space", space_sdk="gradio", exist_ok=True)
        api.upload_folder(
            repo_id=name,
            repo_type="space",
            folder_path=folder,
            delete_patterns="*",  # what is on the Hub and no longer in the folder
            commit_message="The Space as of this checkout",
        )
    except OfflineModeIsEnabled:
        raise UserError("HF_HUB_OFFLINE is set. Unset it to push.") from None
    except (HfHubHTTPError, httpx.HTTPError, ValueError) as error:
        line = " ".join(str(error).split())[:200]
        raise UserError(f"The Hub did not take {name}: {line}. Check the token's rights and the network.") from None
    return str(url)
