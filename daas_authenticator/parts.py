"""What the authenticator is made of: each part made once, when it is first needed.

Base of `DaasAuthenticator`, which is what the hub sees.
"""

import time
from functools import cached_property
from typing import Any

from jupyterhub import orm

from daas_authenticator import names
from daas_authenticator.audit import Audit
from daas_authenticator.client import OpenIDClient
from daas_authenticator.database.engine import Database
from daas_authenticator.fetch import Fetch
from daas_authenticator.kept_logins import AnyIdentity
from daas_authenticator.links.admission import Admission
from daas_authenticator.links.linking import Linking
from daas_authenticator.links.people import People
from daas_authenticator.links.store import LinkStore
from daas_authenticator.logins.notices import Grace, public_sentence, raised_sentence
from daas_authenticator.logins.register import Register
from daas_authenticator.logins.store import LoginStore
from daas_authenticator.logins.sweep import Sweep
from daas_authenticator.providers import DEFAULT, Provider
from daas_authenticator.renewal import Renewals
from daas_authenticator.rights.holders import Holders
from daas_authenticator.rights.raising import take_all_rights
from daas_authenticator.settings import AuthenticatorSettings
from daas_authenticator.ways import Way, Ways


class Parts(AuthenticatorSettings):
    """The settings, the parts that are made of them, and what takes several parts to answer."""

    @cached_property
    def ways(self) -> Ways:
        """The ways to sign in that are switched on."""
        return Ways(self.all_providers(), self._make_client, self.log)

    @cached_property
    def database(self) -> Database:
        """The authenticator's own database."""
        return Database(self.people_database)

    @cached_property
    def people(self) -> People:
        """The people who have a name here, and their identities."""
        return People(LinkStore(self.database), self.support_contact)

    @cached_property
    def register(self) -> Register:
        """The browsers that are signed in."""
        return Register(LoginStore(self.database), self.people)

    @cached_property
    def sweep(self) -> Sweep:
        """What ends the sessions of those who may not have them any more."""
        grace = Grace(self.blocked_grace_seconds, self.refused_grace_seconds)
        return Sweep(self, self.parent, grace, self.proposal_check_seconds)

    @cached_property
    def holders(self) -> Holders:
        """Who has which rights."""
        return Holders(self.register.public_until)

    @cached_property
    def linking(self) -> Linking:
        """What people are about to link."""
        return Linking()

    @cached_property
    def audit(self) -> Audit:
        """The record of what is done to accounts."""
        return Audit(self.audit_file)

    @cached_property
    def admission(self) -> Admission:
        """What decides which name an identity has."""
        return Admission(
            self.people, self._claimed_name, self._signed_in_before, self.support_contact
        )

    @cached_property
    def renewals(self) -> Renewals:
        """What renews logins that stand."""
        return Renewals(self)

    def only_way(self) -> Way | None:
        """Return the one provider to sign in at, when there is exactly one way at all."""
        return None if self.passwords else self.ways.only_way()

    async def blocked_names(self) -> frozenset[str]:
        """Return who may not come in now, by `blocked_users` or by `daas people block`."""
        found = await self.people.ask(self.people.store.blocked)
        now = time.time()
        return frozenset(self.blocked_users) | {name for name, at in found.items() if at <= now}

    def notices_for(self, user: Any) -> list[str]:
        """Return the sentences that *user* should read on every page just now."""
        public = self.register.public_until(user.name)
        until = self.holders.raised_until(user.name)
        running = (spawner for spawner in user.spawners.values() if spawner.active)
        return [
            *filter(None, (getattr(one, "notice_of_end", str)() for one in running)),
            *(one.sentence(self.support_contact) for one in self.sweep.notices_of(user.name)),
            *([public_sentence(public)] if public else []),
            *([raised_sentence(until)] if until else []),
        ]

    async def is_linked(self, issuer: str, subject: str, name: str) -> bool:
        """Tell whether this identity still signs in as *name*."""
        link = await self.people.link_of(issuer, subject)
        return link is not None and link.name == name

    def take_all_rights(self, user: Any) -> None:
        """Let *user* have no right from now on: she is blocked, or her provider refuses her."""
        take_all_rights(self, user)

    def _signed_in_before(self) -> bool:
        if self.parent is None:
            return False
        kept = orm.User.encrypted_auth_state.is_not(None)
        return self.parent.db.query(orm.User).filter(kept).first() is not None

    def _claimed_name(self, identity: AnyIdentity) -> str:
        provider = identity.provider
        claim = self.username_claim if provider.id == DEFAULT else provider.username_claim
        return names.local_name(identity.claims, claim, self.reserved_names, self.name_pattern)

    def _make_client(self, provider: Provider) -> OpenIDClient:
        fetch = Fetch(self.provider_timeout_seconds, provider.ca_bundle, provider.proxy)
        return OpenIDClient(provider, fetch)
