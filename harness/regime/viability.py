"""The steps that find out which devices can go on: group files, device tests, keys."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from harness.errors import FileRejectedError, UnreachableError
from harness.exchange.document import FileKind, Row
from harness.facts.enrolment import DeviceTested
from harness.facts.terms import Event
from harness.regime.case import MigratingDevice
from harness.regime.controllers import Controller
from harness.regime.dossier import Stage
from harness.regime.result_rows import passed, result_rows
from harness.regime.validation import Finding
from hw_profiles.model import DeviceKind


class Viability(Stage):
    """From a validated common file to what each new controller found viable."""

    async def issue_group_files(self) -> Event:
        """Have the SMSO hand over, and the Requesting Party pass each controller its secrets."""
        regime, euis = self._regime, [device.eui64 for device in self._case.controlled()]
        self._dossier.receive(regime.smso, FileKind.VALIDATION)
        self._dossier.publish(regime.smso, FileKind.HANDOVER, lambda: regime.smso.handover_rows(euis))
        party = regime.requesting_party
        handover = self._dossier.receive(party, FileKind.HANDOVER)
        self._dossier.publish(party, FileKind.GROUP, lambda: party.group_rows(handover, self._case))
        for controller, encrypted, _, _ in self._dossier.controllers():
            rows = party.encrypted_rows(handover, controller.name)
            self._dossier.publish(party, encrypted, partial(list, rows))
        return Event.GROUP_FILES_COMPLETE

    async def test_devices(self) -> Event:
        """Test every device and its keys, and have both controllers publish what they found."""
        tests = await self._device_tests()
        all_passed = True
        for controller, encrypted, viable, _ in self._dossier.controllers():
            if self._dossier.answer(viable) is None:
                findings = await self._viability(controller, encrypted, tests)
                rows = self._device_result_rows(findings)
                self._dossier.publish(controller, viable, partial(list, rows))
            all_passed = passed(self._dossier.receive(self._regime.smso, viable)) and all_passed
        return Event.TESTS_PASSED if all_passed else Event.TESTS_FAILED

    async def _device_tests(self) -> dict[str, Finding]:
        if all(self._dossier.answer(files.viable) is not None for files in self._dossier.controllers()):
            return {}
        findings: dict[str, Finding] = {}
        for device in self._case.devices:
            finding = await self._test(device)
            self._journal.write(DeviceTested(device.name, passed=finding is None))
            if finding is not None:
                findings[device.name] = finding
                self._dossier.problem(finding)
        return findings

    async def _test(self, device: MigratingDevice) -> Finding | None:
        try:
            test = await self._dossier.persistently(
                lambda: self._dossier.world.device_test(device.eui64),
                self._dossier.parameters.device_test_attempts,
                enough=lambda test: test.answered,
            )
        except UnreachableError as error:
            return Finding("V13", str(error)[:250], device.name)
        return None if test.answered else _silent(device, f"no answer {test.detail}")

    async def _viability(
        self, controller: Controller, encrypted: FileKind, tests: Mapping[str, Finding]
    ) -> dict[str, Finding]:
        """Check a controller's required file set, its secrets and its keys."""
        try:
            for kind in (FileKind.COMMON, FileKind.VALIDATION):
                self._dossier.receive(controller, kind)
            group = self._dossier.receive(controller, FileKind.GROUP)
            missing = controller.take_secrets(self._dossier.receive(controller, encrypted), group)
        except FileRejectedError as error:
            return {self._case.installation: Finding(error.code, error.text)}
        findings = {name: Finding("V12", "its control key is missing", name) for name in missing}
        for device in self._case.controlled():
            if device.name in tests or device.name in findings:
                findings.setdefault(device.name, tests.get(device.name, Finding("V12", "", device.name)))
            else:
                finding = await self._keys(controller, device)
                if finding is not None:
                    findings[device.name] = finding
        for name, finding in findings.items():
            if name not in tests:
                self._dossier.problem(finding)
        return findings

    async def _keys(self, controller: Controller, device: MigratingDevice) -> Finding | None:
        """Try the controller's key on the device; one that has fallen silent says nothing of its keys."""
        try:
            agree = await controller.keys_agree(device.eui64, self._dossier.world.send_control)
        except UnreachableError as error:
            return _silent(device, str(error))
        return None if agree else Finding("V15", f"the {controller.name}'s key is not its", device.name)

    def _device_result_rows(self, findings: Mapping[str, Finding]) -> list[Row]:
        """Gas alone may be left out; anything else stops the installation."""
        kinds = {device.name: device.kind for device in self._case.devices}
        blocking = [finding for name, finding in findings.items() if kinds.get(name) is not DeviceKind.GSME]
        rows = result_rows(self._case.installation, blocking[:1])
        for device in self._case.controlled():
            listed = [findings[device.name]] if device.name in findings else []
            rows += result_rows(self._case.installation, listed, device.name)
        return rows


def _silent(device: MigratingDevice, detail: str) -> Finding:
    """Return the finding for a device that does not answer, by its kind."""
    codes = {DeviceKind.GSME: "GT01", DeviceKind.ESME: "V14", DeviceKind.CHF: "V13"}
    return Finding(codes.get(device.kind, "W02"), detail.strip()[:250], device.name)
