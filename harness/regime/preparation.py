"""The stages before a device is tested: who may be enrolled, and the files that agree on it."""

from __future__ import annotations

from harness.errors import FileRejectedError
from harness.exchange.document import FileKind, utc
from harness.facts.enrolment import Eligible
from harness.facts.terms import Event, Retry
from harness.regime.dossier import Stage
from harness.regime.parties import installation_row
from harness.regime.result_rows import failing_codes, passed, result_rows
from harness.regime.validation import BY_CODE, Finding


class Preparation(Stage):
    """From an installation discovered to a common file that the Commissioning Party has validated."""

    async def classify(self) -> Event:
        """Tell an active installation from a dormant one."""
        return Event.CLASSIFIED_DORMANT if self._case.dormant else Event.CLASSIFIED_ACTIVE

    async def check_combination(self) -> Event:
        """Look the devices, as they run now, up in the list of eligible combinations."""
        combination = self._regime.requesting_party.eligible(self._case, self._regime.epcl)
        if combination is None:
            self._dossier.problem(Finding("V09", "the devices do not form an eligible combination"))
            return Event.COMBINATION_UNLISTED
        self._journal.write(Eligible(self._case.installation, combination))
        return Event.COMBINATION_LISTED

    async def notify_migration(self) -> Event:
        """Tell the supplier of a dormant installation until when its certificates are wanted."""
        if self._case.dormant:
            hours = self._regime.office.parameters.certificate_cut_off_hours
            cut_off = self._regime.office.unix_seconds + hours * 3600
            row = installation_row(self._case, cutOff=utc(cut_off))
            self._dossier.publish(self._regime.requesting_party, FileKind.MIGRATION_SCHEDULE, lambda: [row])
        return Event.MIGRATION_NOTIFIED

    async def authorise(self) -> Event:
        """Have the responsible supplier authorise the migration."""
        supplier = self._regime.responsible_supplier
        if self._case.dormant:
            self._dossier.receive(supplier, FileKind.MIGRATION_SCHEDULE)
        certificates = self._regime.certificates()
        self._dossier.publish(
            supplier,
            FileKind.AUTHORISATION,
            lambda: supplier.authorisation_rows(self._case, certificates),
        )
        return Event.AUTHORISATION_RECEIVED

    async def issue_common_file(self) -> Event:
        """Have the Requesting Party issue the common file."""
        party = self._regime.requesting_party
        authorisation = self._dossier.receive(party, FileKind.AUTHORISATION)
        self._dossier.publish(party, FileKind.COMMON, lambda: party.common_rows(authorisation, self._case))
        return Event.COMMON_FILE_ISSUED

    async def validate(self) -> Event:
        """Have the Commissioning Party validate the common file, and its answer be taken."""
        party = self._regime.commissioning_party
        authorisation = self._dossier.receive(party, FileKind.AUTHORISATION)
        try:
            common = self._dossier.receive(party, FileKind.COMMON)
            findings = party.validate(common, authorisation, self._regime.epcl, self._regime.dsp.record)
        except FileRejectedError as error:
            findings = [Finding(error.code, error.text)]
        for finding in findings:
            self._dossier.problem(finding)
        rows = result_rows(self._case.installation, findings)
        self._dossier.publish(party, FileKind.VALIDATION, lambda: rows)
        validation = self._dossier.receive(self._regime.requesting_party, FileKind.VALIDATION)
        if passed(validation):
            return Event.VALIDATION_PASSED
        ways = {BY_CODE[code].retry for code in failing_codes(validation)}
        return Event.CAPACITY_EXCEEDED if ways == {Retry.NEXT_DAY} else Event.VALIDATION_FAILED
