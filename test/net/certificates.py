"""Certificates for tests, made by the openssl program."""
import ssl
import subprocess


class Certificates:
    """Two authorities, certificates for tls.test and 127.0.0.1, an expired one, and for clients one by each, as files and texts."""

    def __init__(self, directory):
        self.dir = directory
        self.authority("ca")
        self.authority("other")
        self.issue("server", "DNS:tls.test,IP:127.0.0.1")
        self.issue("named", "DNS:tls.test")
        self.issue("expired", "IP:127.0.0.1", "-not_before", "20200101000000Z", "-not_after", "20200201000000Z")
        self.issue("client", "DNS:client.test")
        self.issue("stranger", "DNS:client.test", by="other")

    def openssl(self, *args):
        subprocess.run(["openssl", *args], cwd=self.dir, check=True, capture_output=True)

    def new_key(self, name, *more):
        self.openssl("req", *more, "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", name + ".key",
                     "-subj", f"/CN=wippy test {name}")

    def authority(self, name):
        self.new_key(name, "-x509", "-days", "30", "-out", name + ".pem")

    def issue(self, name, alternatives, *dates, by="ca"):
        self.new_key(name, "-out", name + ".csr")
        (self.dir / "index.txt").write_text("")
        (self.dir / "conf").write_text(f"[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\nrand_serial=yes\ndefault_md=sha256\npolicy=p\n"
                                       f"new_certs_dir=.\nx509_extensions=x\n[p]\ncommonName=supplied\n[x]\nsubjectAltName={alternatives}\n"
                                       f"basicConstraints=CA:FALSE\n")
        days = [d.replace("-not_before", "-startdate").replace("-not_after", "-enddate") for d in dates] or ["-days", "30"]
        self.openssl("ca", "-batch", "-notext", "-config", "conf", "-cert", by + ".pem", "-keyfile", by + ".key", "-in", name + ".csr", "-out",
                     name + ".pem", *days)

    def text(self, name):
        return (self.dir / name).read_text()

    def context(self, name="server", client_ca=None):
        c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        c.load_cert_chain(self.dir / (name + ".pem"), self.dir / (name + ".key"))
        if client_ca:
            c.verify_mode = ssl.CERT_REQUIRED
            c.load_verify_locations(self.dir / client_ca)
        return c
