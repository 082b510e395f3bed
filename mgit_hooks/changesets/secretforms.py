"""What looks like a secret: by a file's name, or by what stands in it. Never the secret itself, only its kind.

Only forms that are nobody's accident: names that tools give to their secrets, and tokens that their issuers made so
that they can be recognized. A variable named ``password`` and a text of high entropy are guesses, and are left out.
The forms of tokens are their issuers' own, as gitleaks and detect-secrets list them. A name that is wrongly taken for
a secret's costs the reader one look at the file; the other mistake cannot be taken back.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

LONGEST_FORM: Final = 4096
"""Bytes that no form here reaches over: who looks piece by piece lets the pieces overlap by so much."""

_DATA: Final = r"(?:json|ya?ml|toml|ini|cfg|conf|config|properties|xml|txt|csv|env|plist|tfvars)"
_SECRET_FILES: Final = (
    ("environment file", rf"\.env(?:rc|[._-].+)?|[\w-]+\.env|env\.(?:local|prod|production|{_DATA})"),
    ("private key", r"(?:.+[._-])?id_(?:rsa|dsa|ecdsa|ed25519|xmss)(?:_sk)?(?:[._-](?!pub$).+)?"),
    ("key file", r".+\.(?:pem|key|p12|pfx|pkcs12|p8|ppk|jks|jceks|keystore|bks|kdbx?|keytab|agekey|pvk|ovpn)"),
    (
        "credentials of a program",
        r"[._]netrc|\.pgpass|pgpass\.conf|\.my(?:login)?\.cnf|\.htpasswd|\.git-credentials|\.npmrc|\.yarnrc\.yml|\.pypirc"
        r"|\.dockercfg|\.dockerconfigjson|\.s3cfg|\.boto|\.vault-token|\.?terraform\.?rc|.+\.tfrc\.json|\.?kubeconfig"
        r"|wallet\.dat|g?shadow|\.smbcredentials|\.fetchmailrc|\.msmtprc|auth\.json|s?ftp(?:-config)?\.json|\.ftpconfig"
        r"|(?:sitemanager|recentservers|filezilla)\.xml|\.cargo-credentials|application_default_credentials\.json"
        r"|client_secrets?.*\.json|.*service[-_]?account.*\.json|.+\.(?:tfstate|tfvars)(?:\.json)?",
    ),
    (
        "credentials file",
        r"(?:.+[._-])?\.?(?:credentials?|secrets?|passwords?|passwd|tokens?|api[-_]?keys?|private[-_]?keys?)"
        rf"(?:\.{_DATA})?",
    ),
    ("history of commands", r"\.(?:bash|zsh|sh|mysql|psql|sqlite|python|node_repl|rediscli|irb)_?history"),
)
_SECRET_FOLDERS: Final = re.compile(
    r"(?:^|/)(?:\.(?:ssh|gnupg|aws|azure|kube|gcloud|password-store)/|\.docker/config\.json$|\.cargo/credentials|gh/hosts\.yml$)"
)
_NAMES: Final = tuple((kind, re.compile(form, re.DOTALL)) for kind, form in _SECRET_FILES)
# What editors, backups and packers put around a name; of a copy that is packed or encrypted the name is all there is.
_AROUND: Final = re.compile(
    r"(?:~|#|\.(?:bak|backup|back|old|orig|save|sav|tmp|temp|copy|rej|sw[a-z]|txt|\d{1,3}|gz|bz2|xz|zst|zip|tgz|tar|7z|gpg|asc|age|enc))+$"
)
_PATTERN_OF: Final = re.compile(r".+[._-](?:example|sample|template|tmpl|dist|defaults?|schema|j2|erb)")


def by_name(path: str) -> str | None:
    """The kind of secret that a file of this name is; None where the name says nothing.

    ``path`` is the file's path in its repository, with slashes. Upper and lower case count the same.
    """
    path = "".join(each for each in path.lower() if each.isprintable())  # what nobody sees makes no other name
    name = path.rpartition("/")[2].strip().rstrip(". ")
    if _SECRET_FOLDERS.search(path) and not name.endswith(".pub"):
        return "file in a folder of secrets"
    bare = _AROUND.sub("", name.lstrip("#"))
    for candidate in {name, bare, bare.removeprefix(".#"), bare[1:] if bare.startswith("..") else bare}:
        kind = next((kind for kind, form in _NAMES if form.fullmatch(candidate)), None)
        if kind is not None and not _PATTERN_OF.fullmatch(candidate):
            return kind
    if name != bare and bare.startswith(".") and name.rpartition(".")[2].startswith("sw"):
        return by_name(bare[1:]) and "an editor's copy of one"  # vim's copy of id_rsa is .id_rsa.swp
    return None


class _Form(NamedTuple):
    kind: str
    literals: tuple[bytes, ...]  # one of which is in it: found as fast as memory is read
    whole: re.Pattern[bytes]  # matched where the literal stands


def _form(kind: str, literals: str, whole: str) -> _Form:
    return _Form(kind, tuple(literals.encode().split()), re.compile(whole.encode()))


# No form repeats without bound, and each begins where no character of its own kind stands before it: text that is
# made to nearly fit, millions of times over, is looked at once.
_W: Final = r"(?<![A-Za-z0-9_-])"
_SHORTEST_WORD: Final = 15
_NO_WORD: Final = bytes(each if each < 128 and (chr(each).isalnum() or each in b"_-") else 32 for each in range(256))
# fmt: off
# Each is one word of letters, digits, "_" and "-": looked for in the long words alone, a hundredth of most texts.
_WORDS: Final = (
    _form("private key", "AGE-SECRET-KEY-1", _W + r"AGE-SECRET-KEY-1[0-9A-Z]{20}"),
    _form("AWS access key", "AKIA ASIA ABIA ACCA", _W + r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])"),
    _form("GitHub token", "ghp_ gho_ ghu_ ghs_ ghr_", _W + r"gh[pousr]_[A-Za-z0-9]{36}"),
    _form("GitHub token", "github_pat_", _W + r"github_pat_[A-Za-z0-9_]{22}"),
    _form("GitLab token", "glpat- gldt- glrt- glptt- glcbt- glsoat- glagent- glimt- glft-",
          _W + r"gl(?:pat|dt|rt|ptt|cbt|soat|agent|imt|ft)-[A-Za-z0-9_-]{20}"),
    _form("Slack token", "xoxa- xoxb- xoxe- xoxo- xoxp- xoxr- xoxs- xapp-",
          _W + r"(?:xox[abeoprs]|xapp)-[A-Za-z0-9-]{10}"),
    _form("Stripe key", "sk_live_ rk_live_ sk_test_ rk_test_ whsec_",
          _W + r"(?:[sr]k_(?:live|test)|whsec)_[A-Za-z0-9]{16}"),
    _form("Google key", "AIza", _W + r"AIza[0-9A-Za-z_-]{35}"),
    _form("Google secret", "GOCSPX-", _W + r"GOCSPX-[A-Za-z0-9_-]{20}"),
    _form("npm token", "npm_", _W + r"npm_[A-Za-z0-9]{36}"),
    _form("PyPI token", "pypi-AgE", _W + r"pypi-AgE[A-Za-z0-9_-]{16}"),
    _form("Mailgun key", "key-", _W + r"key-[0-9a-f]{32}(?![0-9a-f])"),
    _form("Twilio key", "SK", _W + r"SK[0-9a-f]{32}(?![A-Za-z0-9])"),
    _form("Mailchimp key", "-us", r"(?<=[0-9a-f]{32})-us\d{1,2}(?![A-Za-z0-9])"),
    _form("OpenAI key", "T3BlbkFJ", r"(?<=[A-Za-z0-9_-]{16})T3BlbkFJ[A-Za-z0-9_-]{16}"),
    _form("OpenAI key", "sk-proj- sk-svcacct- sk-admin-", _W + r"sk-(?:proj|svcacct|admin)-[A-Za-z0-9_-]{20}"),
    _form("Anthropic key", "sk-ant-", _W + r"sk-ant-[A-Za-z0-9_-]{20}"),
    _form("Hugging Face token", "hf_", _W + r"hf_[A-Za-z]{34}"),
    _form("DigitalOcean token", "dop_v1_ doo_v1_ dor_v1_", _W + r"do[opr]_v1_[0-9a-f]{32}"),
    _form("Docker token", "dckr_pat_ dckr_oat_", _W + r"dckr_[po]at_[A-Za-z0-9_-]{20}"),
    _form("Databricks token", "dapi", _W + r"dapi[0-9a-f]{32}"),
    _form("Linear key", "lin_api_ lin_oauth_", _W + r"lin_(?:api|oauth)_[A-Za-z0-9]{32}"),
    _form("Shopify token", "shpat_ shpca_ shppa_ shpss_", _W + r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}"),
    _form("Square token", "sq0atp- sq0csp- sq0idp-", _W + r"sq0(?:atp|csp|idp)-[A-Za-z0-9_-]{22}"),
    _form("New Relic key", "NRAK-", _W + r"NRAK-[A-Z0-9]{27}"),
    _form("Grafana token", "glc_ glsa_", _W + r"gl(?:c|sa)_[A-Za-z0-9_]{32}"),
)
_TEXTS: Final = (
    _Form("private key", (b"-----BEGIN ", b"-----END "),
          re.compile(rb"-----(?:BEGIN|END) [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")),
    _form("private key", "PuTTY-User-Key-File-", r"PuTTY-User-Key-File-\d"),
    _form("private key in base64", "LS0tLS1CRUdJTi", r"LS0tLS1CRUdJTi[A-Za-z0-9+/]{0,40}?"
          r"(?:Bwcml2YXRl|BSSVZBVEUg|UFJJVkFURSBLRV|QUklWQVRFIEtFW|IFBSSVZBVEUgS0)"),
    _form("AWS secret key", "ecret_access_key SECRET_ACCESS_KEY ecretAccessKey ession_token SESSION_TOKEN essionToken",
          r"[A-Za-z_]{10,20}[\"']?\s{0,5}[:=]{1,2}>?\s{0,5}[\"']?[A-Za-z0-9/+=]{40}"),
    _form("Slack webhook", "hooks.slack.com/", r"hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9+/]{20}"),
    _form("Discord webhook", "/api/webhooks/", r"(?<=(?:rd|pp)\.com)/api/webhooks/\d{10,25}/[\w-]{20}"),
    _form("Google token", "ya29.", _W + r"ya29\.[0-9A-Za-z_-]{20}"),
    _form("npm token", "_auth _password",
          r"_(?:authToken|auth|password)\s{0,3}=\s{0,3}[\"']?(?![$%<{])[A-Za-z0-9+/_=-]{12}"),
    _form("SendGrid key", "SG.", _W + r"SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{16}"),
    _form("Vault token", "hvs. hvb. hvr.", _W + r"hv[sbr]\.[A-Za-z0-9_-]{24}"),
    _form("Terraform token", ".atlasv1.", r"(?<=[A-Za-z0-9]{14})\.atlasv1\.[A-Za-z0-9_=-]{40}"),
    _form("Azure storage key", "AccountKey= AccessKey=", r"(?:Account|Access)Key=[A-Za-z0-9+/]{40}"),
    _form("Telegram token", ":AA", r"(?<=\d{8}):AA[A-Za-z0-9_-]{33}"),
    _form("JSON Web Token", "eyJ", _W + r"eyJ[A-Za-z0-9_-]{10,2000}+\.eyJ[A-Za-z0-9_-]{10,1500}+\.[A-Za-z0-9_-]{10}"),
    _form("Secret of Kubernetes", "kind", r"kind[\"']?:\s{0,5}[\"']?Secret(?![\w-])"),
    _form("password in a URL", "://", r"(?<=[a-z0-9])://[^\s/:@\"'<>{}$*`]{0,100}:"
          r"(?!(?:pass|password|passwd|pwd|secret|token|xxx+|[*.]+|x-oauth-basic)@)[^\s/:@\"'<>{}$*`\\]{3,200}@[A-Za-z0-9\[]"),
)
# fmt: on


def by_content(data: bytes) -> str | None:
    """The kind of a secret that stands in ``data``; None where none is known to."""
    words = {word for word in data.translate(_NO_WORD).split() if len(word) >= _SHORTEST_WORD}
    found = _first(_TEXTS, data) or _first(_WORDS, b" ".join(words))
    if found is None and b"\0" in data:  # UTF-16 and UTF-32, marked or not
        return by_content(data.replace(b"\0", b""))
    return found


def _first(forms: tuple[_Form, ...], data: bytes) -> str | None:
    for form in forms:
        for literal in form.literals:
            at = data.find(literal)
            while at >= 0:
                if form.whole.match(data, at):
                    return form.kind
                at = data.find(literal, at + len(literal))
    return None
