package server

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/certwatcher"
)

// keyFile is the server's own key and certificate, in the data folder.
const keyFile = "tls.pem"

// keys are what the server proves with that it is the server.
type keys struct {
	certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// run watches the files until the context ends; nil if there is nothing to watch.
	run func(context.Context) error
	// next is the pin of the key that will be used next; empty if nobody knows.
	next string
}

// newKeys takes the key from files, which are read again when they change. Without files it is the server's own, in the data folder.
func newKeys(certFile, keyFile, next, dataDir string) (*keys, error) {
	if certFile == "" {
		own, err := ownKey(dataDir)
		return &keys{certificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &own, nil }, next: next}, err
	}
	files, err := certwatcher.New(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("reading --tls-cert and --tls-key: %w", err)
	}
	return &keys{certificate: files.GetCertificate, run: files.Start, next: next}, nil
}

// pins are what the key may be, now and next.
func (k *keys) pins() []string {
	certificate, err := k.certificate(nil)
	if err != nil {
		return nil
	}
	pin, err := pinOf(*certificate)
	if err != nil {
		return nil
	}
	if k.next == "" || k.next == pin {
		return []string{pin}
	}
	return []string{pin, k.next}
}

// ownKey reads the server's own key from the data folder. It makes one if there is none. Of several that do it at once all get the same: the
// file appears whole or not at all.
func ownKey(dir string) (tls.Certificate, error) {
	path := filepath.Join(dir, keyFile)
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = makeKey(path)
	}
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("the server's key: %w", err)
	}
	key, err := tls.LoadX509KeyPair(path, path)
	if err != nil {
		return key, fmt.Errorf("the server's key cannot be read: %w. Delete %s for a new one: tests that run then cannot push any more", err, path)
	}
	return key, nil
}

func makeKey(path string) error {
	text, err := newKey()
	if err != nil {
		return err
	}
	return writeOnce(path, text)
}

// writeOnce makes a file that only this user may read, unless there is one already.
func writeOnce(path string, text []byte) error {
	dir := filepath.Dir(path)
	file, err := os.CreateTemp(dir, filepath.Base(path)+".*") // nobody else may read it
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	_, err = file.Write(text)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Link(file.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncFolder(dir)
}

func syncFolder(dir string) error {
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer folder.Close()
	return folder.Sync()
}

// newKey is a key with a certificate that it signs itself, in PEM. Who trusts it knows its pin. So neither its names nor its times matter, and
// the times leave a clock that is wrong in peace.
func newKey() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "testrun-server"},
		DNSNames: []string{
			"testrun-server", "testrun-server.testrun-system", "testrun-server.testrun-system.svc",
			"testrun-push", "testrun-push.testrun-system", "testrun-push.testrun-system.svc", "localhost",
		},
		NotBefore: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2120, 1, 1, 0, 0, 0, 0, time.UTC),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	plain, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})
	return append(text, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: plain})...), nil
}

// pinOf is the SHA-256 of the key's SubjectPublicKeyInfo, in hex.
func pinOf(key tls.Certificate) (string, error) {
	leaf, err := x509.ParseCertificate(key.Certificate[0])
	if err != nil {
		return "", fmt.Errorf("the server's certificate: %w", err)
	}
	sum := sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
	return hex.EncodeToString(sum[:]), nil
}
