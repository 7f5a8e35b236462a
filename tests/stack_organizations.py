"""Organizations in a stack: members of each role, invitations as their mail holds them, the workflow that removes one."""

import stack_process
from accounts import token_of

ROOT = "/api/v1/organizations"
ROLES = ("owner", "admin", "member", "viewer")


def create(who, name="Work", **fields):
    """An organization of that person; answers its path."""
    return f"{ROOT}/" + who.post(ROOT, {"name": name, **fields}, expect=201)["id"]


def ident(path):
    """The organization's id in its path."""
    return path.rsplit("/", 1)[1]


def invite(stack, owner, path, email, role="member"):
    """Invites an address; answers the token that the mail holds."""
    made = owner.post(f"{path}/members", {"email": email, "role": role}, expect=201)
    return token_of(stack, "invitation", made["id"])


def accept(who, token, expect=200):
    """The person takes the invitation."""
    return who.post(f"{ROOT}/invitations/accept", {"token": token}, expect=expect)


def join(stack, path, name, role):
    """A person with that role, without mails; answers him."""
    who = stack.user(name)
    stack.sql("insert into organization_members (organization_id, user_id, role) values (%s, %s, %s)", ident(path), who.id, role)
    return who


def code(who, method, path, body=None):
    """The status of a request and the code of its error, or ''."""
    answer = who.ask(method, path, body)
    return answer.status_code, answer.json()["code"] if answer.status_code >= 400 else ""


def at_once(*asks):
    """Each (who, method, path, body) at the same time; answers their codes in order."""
    return stack_process.at_once(*[lambda ask=ask: code(*ask) for ask in asks])
