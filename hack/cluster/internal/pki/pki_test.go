package pki

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func parse(t *testing.T, data []byte) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode(data)
	if block == nil {
		t.Fatal("not PEM")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func verify(ca *Authority, cert *x509.Certificate, host string, usage x509.ExtKeyUsage) error {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca.Cert)
	_, err := cert.Verify(x509.VerifyOptions{Roots: roots, DNSName: host, KeyUsages: []x509.ExtKeyUsage{usage}})
	return err
}

func TestAClientCertificateNamesUserAndGroupsAndServesNothing(t *testing.T) {
	ca, err := NewAuthority("test")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := ca.Issue(Leaf{User: "system:node:n", Groups: []string{"system:nodes"}})
	if err != nil {
		t.Fatal(err)
	}
	cert := parse(t, pair.Cert)
	if cert.Subject.CommonName != "system:node:n" || cert.Subject.Organization[0] != "system:nodes" {
		t.Errorf("subject is %s", cert.Subject)
	}
	if err := verify(ca, cert, "", x509.ExtKeyUsageClientAuth); err != nil {
		t.Error(err)
	}
	if err := verify(ca, cert, "", x509.ExtKeyUsageServerAuth); err == nil {
		t.Error("a certificate without a name may be used by a server")
	}
}

func TestAServerCertificateIsValidForItsNamesOnly(t *testing.T) {
	ca, err := NewAuthority("test")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := ca.Issue(Leaf{User: "server", Names: []string{"kubernetes.default.svc"}, IPs: []string{"10.96.0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tls.X509KeyPair(pair.Cert, pair.Key); err != nil {
		t.Errorf("key and certificate do not belong together: %v", err)
	}
	cert := parse(t, pair.Cert)
	for host, valid := range map[string]bool{"kubernetes.default.svc": true, "10.96.0.1": true, "example.com": false} {
		if err := verify(ca, cert, host, x509.ExtKeyUsageServerAuth); (err == nil) != valid {
			t.Errorf("%s: %v", host, err)
		}
	}
	other, err := NewAuthority("test")
	if err != nil {
		t.Fatal(err)
	}
	if err := verify(other, cert, "10.96.0.1", x509.ExtKeyUsageServerAuth); err == nil {
		t.Error("another authority of the same name vouches for it")
	}
}

func TestKeysAreForTheOwnerOnly(t *testing.T) {
	ca, err := NewAuthority("test")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := ca.Write(dir, "ca"); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, "ca.key"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode of the key is %v", info.Mode())
	}
}

func TestKubeconfigHoldsServerAndUser(t *testing.T) {
	got := string(Kubeconfig("https://10.0.0.1:6443", "admin", []byte("ca"), Pair{Cert: []byte("crt"), Key: []byte("key")}))
	for _, want := range []string{"server: https://10.0.0.1:6443", "certificate-authority-data: Y2E=", "client-key-data: a2V5", `user: "admin"`} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
}
