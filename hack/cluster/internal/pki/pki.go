// Package pki makes the cluster's certificate authorities, certificates and keys.
package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// validity is long: nobody renews anything in a cluster that is thrown away.
const validity = 10 * 365 * 24 * time.Hour

// Pair is a certificate with its key, both in PEM.
type Pair struct {
	Cert, Key []byte
}

// Write stores the pair as <name>.crt and <name>.key.
func (p Pair) Write(dir, name string) error {
	if err := os.WriteFile(filepath.Join(dir, name+".crt"), p.Cert, 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name+".key"), p.Key, 0o600)
}

// Authority signs certificates.
type Authority struct {
	Pair
	cert *x509.Certificate
	key  crypto.Signer
}

// Leaf is a certificate to be signed.
type Leaf struct {
	User   string   // the common name: the user's name for Kubernetes
	Groups []string // the organisations: the user's groups for Kubernetes
	Names  []string // host names; with IPs what makes it usable by a server
	IPs    []string
}

// NewAuthority makes a self-signed authority.
func NewAuthority(name string) (*Authority, error) {
	template := certificate(pkix.Name{CommonName: name})
	template.IsCA = true
	template.BasicConstraintsValid = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	pair, cert, key, err := sign(template, nil, nil)
	if err != nil {
		return nil, fmt.Errorf("certificate authority %s: %w", name, err)
	}
	return &Authority{Pair: pair, cert: cert, key: key}, nil
}

// Issue signs a certificate. All may be used by a client; those with names or addresses by a server too.
func (a *Authority) Issue(leaf Leaf) (Pair, error) {
	template := certificate(pkix.Name{CommonName: leaf.User, Organization: leaf.Groups})
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	template.DNSNames = leaf.Names
	for _, ip := range leaf.IPs {
		template.IPAddresses = append(template.IPAddresses, net.ParseIP(ip))
	}
	if len(leaf.Names)+len(leaf.IPs) > 0 {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	pair, _, _, err := sign(template, a.cert, a.key)
	if err != nil {
		return Pair{}, fmt.Errorf("certificate for %s: %w", leaf.User, err)
	}
	return pair, nil
}

// NewKey makes a private key, as the signer of ServiceAccount tokens needs it.
func NewKey() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	return encodeKey(key)
}

func certificate(subject pkix.Name) *x509.Certificate {
	// An hour back: a virtual machine's clock may be set back after this.
	start := time.Now().Add(-time.Hour)
	return &x509.Certificate{Subject: subject, NotBefore: start, NotAfter: start.Add(validity)}
}

// sign makes a key and a certificate for it; without a parent the certificate signs itself.
func sign(template, parent *x509.Certificate, parentKey crypto.Signer) (Pair, *x509.Certificate, crypto.Signer, error) {
	fail := func(err error) (Pair, *x509.Certificate, crypto.Signer, error) { return Pair{}, nil, nil, err }
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fail(err)
	}
	if parent == nil {
		parent, parentKey = template, key
	}
	template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return fail(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	if err != nil {
		return fail(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return fail(err)
	}
	keyPEM, err := encodeKey(key)
	if err != nil {
		return fail(err)
	}
	return Pair{Cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), Key: keyPEM}, cert, key, nil
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), nil
}
