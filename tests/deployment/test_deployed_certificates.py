"""The certificates of a deployment: who signed them, what they say, and when they are signed again."""

import subprocess
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError
from plans import AGENTS, PLAN, deployed

from hypergossip.lab.deployment import signing
from hypergossip.lab.deployment.agent_file import certificate_table
from hypergossip.lab.deployment.signing import fault_of, refuse_unusable
from hypergossip.peers import certificates
from hypergossip.peers.certificates import Authority
from hypergossip.peers.link_settings import Certificates


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificates")
    deployed(folder, PLAN + AGENTS)
    return folder / "out"


def files(folder, stem="agent"):
    return Certificates(*(folder / name for name in certificate_table(stem).values()))


def certificate(path):
    return x509.load_pem_x509_certificate(path.read_bytes())


HOSTS = {
    "paris": x509.DNSName("paris.example.org"),
    "rome": x509.IPAddress(ip_address("192.0.2.7")),
    "bonn": x509.IPAddress(ip_address("2001:db8::5")),
}


@pytest.mark.parametrize("name", HOSTS)
def test_a_certificate_names_the_agent_and_its_host_and_is_signed_by_the_authority(out, name):
    own = certificate(out / name / "agent.pem")
    assert own.subject.rfc4514_string() == f"CN={name}"
    assert list(own.extensions.get_extension_for_class(x509.SubjectAlternativeName).value) == [HOSTS[name]]
    policy = PolicyBuilder().store(Store([certificate(out / "authority.pem")]))
    assert policy.build_server_verifier(HOSTS[name]).verify(own, [])[0] == own
    verifier = policy.build_server_verifier(x509.DNSName("london.example.org"))
    with pytest.raises(VerificationError):
        verifier.verify(own, [])


def test_openssl_accepts_the_chain(out):
    command = ["openssl", "verify", "-x509_strict", "-CAfile", out / "authority.pem", out / "oslo/agent.pem"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    assert done.returncode == 0, done.stderr


def test_the_observer_has_its_own_certificate_and_no_agents_folder_has_the_authoritys_key(out):
    assert certificate(out / "watch/watch.pem").subject.rfc4514_string() == "CN=watch"
    keys = sorted(path.relative_to(out).as_posix() for path in out.rglob("*.key"))
    assert keys == sorted(
        [*(f"{name}/agent.key" for name in ("paris", "rome", "oslo", "bonn")), "authority.key", "watch/watch.key"]
    )
    assert len({path.read_bytes() for path in out.rglob("*.key")}) == len(keys)


def later(monkeypatch, days):
    """Moves the clock of everything that reads a certificate's dates."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) + timedelta(days=days)

    monkeypatch.setattr(signing, "datetime", Clock)
    monkeypatch.setattr(certificates, "datetime", Clock)


def test_a_certificate_of_another_agent_or_authority_is_refused(out, tmp_path):
    paris = files(out / "paris")
    refuse_unusable(paris, "paris")
    with pytest.raises(ValueError, match="its common name is 'paris', not 'rome'"):
        refuse_unusable(paris, "rome")
    other = Authority.create("other").issue("paris", ["127.0.0.1"], tmp_path, "agent")
    with pytest.raises(ValueError, match="not signed by the authority"):
        refuse_unusable(Certificates(paris.authority, other.certificate, other.key), "paris")
    with pytest.raises(ValueError, match=r"agent\.key is not its private key"):
        refuse_unusable(Certificates(paris.authority, paris.certificate, other.key), "paris")
    assert fault_of(paris, "paris", ["london.example.org"]) == "it does not name the host london.example.org"
    other.certificate.write_text("nothing")
    with pytest.raises(ValueError, match="one of its files is not PEM"):
        refuse_unusable(other, "paris")


def test_an_expired_certificate_is_refused_and_deploy_signs_everything_again(tmp_path, monkeypatch):
    deployed(tmp_path)
    old = certificate(tmp_path / "out/agent-0/agent.pem")
    later(monkeypatch, 826)
    with pytest.raises(ValueError, match=r"it expired on .*run `hypergossip deploy` again"):
        refuse_unusable(files(tmp_path / "out/agent-0"), "agent-0")
    notes = deployed(tmp_path).notes
    assert any("authority is new" in note for note in notes)
    refuse_unusable(files(tmp_path / "out/agent-0"), "agent-0")
    assert certificate(tmp_path / "out/agent-0/agent.pem").serial_number != old.serial_number


def test_a_clock_that_is_behind_is_named(out, monkeypatch):
    later(monkeypatch, -2)
    with pytest.raises(ValueError, match="which this machine's clock has not reached"):
        refuse_unusable(files(out / "paris"), "paris")


def test_no_certificate_outlives_its_authority(tmp_path, monkeypatch):
    authority = Authority.create("network", days=100)
    later(monkeypatch, 50)
    own = certificate(authority.issue("a", ["localhost"], tmp_path, "a").certificate)
    assert own.not_valid_after_utc == authority.certificate.not_valid_after_utc
    assert own.not_valid_after_utc > datetime.now(UTC)


def test_a_new_host_gets_a_new_certificate_and_the_others_keep_theirs(tmp_path):
    deployed(tmp_path, PLAN + AGENTS)
    before = {name: (tmp_path / f"out/{name}/agent.pem").read_bytes() for name in ("paris", "rome", "oslo", "bonn")}
    deployed(tmp_path, PLAN + AGENTS.replace("paris.example.org", "paris.example.net"))
    after = {name: (tmp_path / f"out/{name}/agent.pem").read_bytes() for name in before}
    assert [name for name in before if after[name] != before[name]] == ["paris"]


def test_without_the_authoritys_key_nothing_is_signed(tmp_path):
    deployed(tmp_path)
    (tmp_path / "out/authority.key").unlink()
    deployed(tmp_path)  # all certificates are kept
    with pytest.raises(ValueError, match=r"agent-4 needs a certificate, but the authority's private key .* is gone"):
        deployed(tmp_path, PLAN.replace("n = 4", "n = 5"))
    assert not (tmp_path / "out/agent-4").exists()


@pytest.mark.parametrize("key", ["authority.key", "agent-1/agent.key"])
def test_a_key_that_others_can_read_is_refused(tmp_path, key):
    deployed(tmp_path)
    (tmp_path / "out" / key).chmod(0o644)
    with pytest.raises(ValueError, match=r"can be read by other users .*chmod 600"):
        deployed(tmp_path)


def test_an_authoritys_files_that_do_not_belong_together_are_refused(tmp_path):
    deployed(tmp_path)
    key = tmp_path / "out/authority.key"
    certificates.write_private(key, Authority.create("other").private_bytes())
    with pytest.raises(ValueError, match="is not the private key of"):
        deployed(tmp_path)
    certificates.write_private(key, b"nothing")
    with pytest.raises(ValueError, match="not a certificate or a private key in PEM"):
        deployed(tmp_path)
