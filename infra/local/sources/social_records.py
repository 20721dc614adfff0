"""What the social network holds: public posts with one hashtag, and the brand account's answers to them."""

from __future__ import annotations

import html
import random
from bisect import bisect_right, insort
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .hashing import dice, mix, unit
from .names import COUNTRIES
from .noise import known
from .population import CANARY_TEXT, DAY_MS, Person, Population, plain
from .readings import HOUR_MS, MINUTE_MS
from .texts import EDITED, KINDS, POSTS, REPLIES
from .versions import Record, utc

SITE = "https://social.example"
HASHTAG, SECOND, BRAND = "glucoflow", "diabetes", "glucoflow_care"
POST_PER_DAY = 0.15
ANSWERED = {"effect": 0.85, "complaint": 0.80, "question": 0.75, "talk": 0.08}


@dataclass(frozen=True, slots=True)
class Account:
    """A social account; `person` is None for the brand and for people who are no patients."""

    id: int
    username: str
    display_name: str
    note: str
    mail: str | None
    language: str
    created: int
    person: Person | None = None


@dataclass(frozen=True, slots=True, order=True)
class Status:
    """One post: when it is made, edited and deleted (0 for never), and what it says before and after the edit."""

    id: int
    created: int
    edited: int
    deleted: int
    account: int
    language: str
    text: str
    later_text: str
    has_second_tag: bool
    replied_id: int | None = None

    def is_shown(self, clock: int) -> bool:
        """Whether the post exists at the clock."""
        return self.created <= clock and not 0 < self.deleted <= clock


class SocialRecords:
    """Accounts, and statuses in order of their id, which grows with time."""

    def __init__(self, population: Population) -> None:
        self.population, self.settings = population, population.settings
        self.accounts = [self._brand(), *self._patients(), *self._others()]
        self.by_id: dict[int, Status] = {}
        self.statuses: list[Status] = []

    def grow(self, first_day: int, last_day: int) -> None:
        """Generate the posts of some days, with their answers."""
        if last_day <= first_day:
            return
        seed = self.settings.seed
        numbers = np.array([account.id for account in self.accounts[1:]], dtype=np.int64)
        days = np.arange(first_day, last_day, dtype=np.int64)
        posts = unit(seed, "post", numbers[:, None], days[None, :]) < POST_PER_DAY
        for row, account in enumerate(self.accounts[1:]):
            if account.person is not None and account.person.is_canary:
                posts[row, :] |= days % 3 == 0
        for row, column in zip(*(axis.tolist() for axis in np.nonzero(posts)), strict=True):
            for status in self._thread(row + 1, int(days[column])):
                self.by_id[status.id] = status
                insort(self.statuses, status)

    def before(self, place: int | None) -> int:
        """The place after the last status with a smaller id."""
        if place is None:
            return len(self.statuses)
        return bisect_right(self.statuses, place - 1, key=lambda status: status.id)

    def render(self, status: Status, clock: int) -> Record:
        """A status entity as it reads at the clock."""
        account = self.accounts[status.account]
        is_edited = 0 < status.edited <= clock
        replied = self.by_id[status.replied_id] if status.replied_id else None
        names = [HASHTAG] + ([SECOND] if status.has_second_tag else [])
        address = f"{SITE}/@{account.username}/{status.id}"
        return {
            "id": str(status.id), "created_at": utc(status.created),
            "edited_at": utc(status.edited) if is_edited else None,
            "in_reply_to_id": str(replied.id) if replied else None,
            "in_reply_to_account_id": str(self.accounts[replied.account].id) if replied else None,
            "sensitive": False, "spoiler_text": "", "visibility": "public", "language": status.language,
            "uri": f"{SITE}/users/{account.username}/statuses/{status.id}", "url": address,
            "replies_count": 0, "reblogs_count": status.id % 5, "favourites_count": status.id % 17,
            "quotes_count": 0, "content": self._content(status, names, is_edited, replied), "reblog": None,
            "application": None, "account": self._account(account), "media_attachments": [],
            "mentions": self._mentions(replied),
            "tags": [{"name": name, "url": f"{SITE}/tags/{name}"} for name in names],
            "emojis": [], "card": None, "poll": None, "filtered": []}

    def _content(self, status: Status, names: list[str], is_edited: bool, replied: Status | None) -> str:
        text = html.escape(status.later_text if is_edited else status.text, quote=False)
        tags = " ".join(f'<a href="{SITE}/tags/{name}" class="mention hashtag" rel="tag">#<span>{name}</span></a>'
                        for name in names)
        if replied is None:
            return f"<p>{text} {tags}</p>"
        user = self.accounts[replied.account].username
        return (f'<p><span class="h-card"><a href="{SITE}/@{user}" class="u-url mention">@<span>{user}</span></a>'
                f"</span> {text} {tags}</p>")

    def _mentions(self, replied: Status | None) -> list[Record]:
        if replied is None:
            return []
        to = self.accounts[replied.account]
        return [{"id": str(to.id), "username": to.username, "acct": to.username, "url": f"{SITE}/@{to.username}"}]

    @staticmethod
    def _account(account: Account) -> Record:
        picture, mail = f"{SITE}/avatars/missing.png", account.mail
        fields = [{"name": "Mail", "value": mail, "verified_at": None}] if mail else []
        return {
            "id": str(account.id), "username": account.username, "acct": account.username,
            "display_name": account.display_name, "locked": False, "bot": False, "discoverable": True,
            "group": False, "created_at": utc(account.created - account.created % DAY_MS),
            "note": f"<p>{html.escape(account.note, quote=False)}</p>" if account.note else "",
            "url": f"{SITE}/@{account.username}", "uri": f"{SITE}/users/{account.username}",
            "avatar": picture, "avatar_static": picture, "header": picture, "header_static": picture,
            "followers_count": account.id % 400, "following_count": account.id % 150, "statuses_count": 10,
            "last_status_at": None, "emojis": [], "fields": fields}

    def _brand(self) -> Account:
        return Account(10**17 - 1, BRAND, "GlucoFlow Care", "We answer on weekdays.", None, "en",
                       self.settings.start_ms - 900 * DAY_MS)

    def _patients(self) -> Iterator[Account]:
        for person in self.population.members("social"):
            roll = dice(self.settings.seed, "account", person.index)
            who = known(self.settings, "social", person)
            number = int(self.population.identifiers("social", person)[0])
            created = self.population.joined("social", person)
            if person.is_canary:
                note = f"{CANARY_TEXT} {person.city}"
                yield Account(number, person.handle, f"{who.given} {who.family}", note, who.email,
                              person.home.language, created, person)
                continue
            shown = roll.choices((f"{who.given} {who.family}", who.given, person.handle), (45, 30, 25))[0]
            yield Account(number, person.handle, shown.strip(), who.city or "", who.email, person.home.language,
                          created, person)

    def _others(self) -> Iterator[Account]:
        for index in range(max(20, self.settings.people // 10)):
            roll = dice(self.settings.seed, "other", index)
            home = roll.choice(COUNTRIES)
            name = roll.choice(home.female + home.male)
            number = 10**17 + int(mix(self.settings.seed, "other", index)[0]) % 10**17
            yield Account(number, f"{plain(name)}_{index}x", name, "", None, home.language,
                          self.settings.start_ms - int(roll.uniform(10, 900) * DAY_MS))

    def _thread(self, position: int, day: int) -> Iterator[Status]:
        """A post and, perhaps, the brand's answer to it."""
        account = self.accounts[position]
        roll = dice(self.settings.seed, "thread", account.id, day)
        created = self.settings.start_ms + day * DAY_MS + int(roll.uniform(5, 22) * HOUR_MS)
        if created < account.created:
            return
        kind = roll.choices(KINDS, (10, 25, 25, 40))[0]
        language = account.language if roll.random() < 0.85 else "en"
        text = roll.choice(POSTS[language][kind])
        if account.person is not None and account.person.is_canary:
            text = f"{CANARY_TEXT} {text}"
        edited, deleted = _fate(roll, created)
        post = Status(_snowflake(created, roll), created, edited, deleted, position, language, text,
                      f"{text} {EDITED[language]}", roll.random() < 0.4)
        yield post
        if roll.random() < ANSWERED[kind]:
            answered = created + 2 * MINUTE_MS + int(roll.lognormvariate(0.9, 1.4) * HOUR_MS)
            if not 0 < deleted <= answered:
                words = REPLIES[language]
                yield Status(_snowflake(answered, roll), answered, 0, 0, 0, language, words, words, False, post.id)


def _fate(roll: random.Random, created: int) -> tuple[int, int]:
    """When a post is edited (8 %) and deleted (4 %), or 0."""
    edit, deletion = roll.random() < 0.08, roll.random() < 0.04
    edited = created + int(roll.uniform(0.1, 120) * HOUR_MS)
    deleted = created + int(roll.uniform(121, 360) * HOUR_MS)
    return edited if edit else 0, deleted if deletion else 0


def _snowflake(created: int, roll: random.Random) -> int:
    return (created << 16) + roll.randrange(1 << 16)
