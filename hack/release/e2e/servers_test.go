package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
)

// node is the address of the local cluster's node, which is this machine: the node and its pods reach what listens there.
const node = "10.250.0.1"

// Who may push, and pull while the registry is private.
const (
	user     = "jane"
	password = "secret"
)

// registryServer is a registry with a certificate of its own CA. Only one user may push. While it is private, only that user may pull.
type registryServer struct {
	http.Server

	host    string // ADDRESS:PORT
	caFile  string
	private atomic.Bool

	mu     sync.Mutex
	pulled map[string]int // manifests that were asked for, by path
}

// serveRegistry starts a registry where the node can reach it, and writes the certificate of its CA into a file.
func serveRegistry(caFile string) (*registryServer, error) {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", net.JoinHostPort(node, "0"))
	if err != nil {
		return nil, errors.Join(errors.New("the address of the local cluster's node cannot be used: is the cluster up?"), err)
	}
	s := &registryServer{host: listener.Addr().String(), caFile: caFile, pulled: map[string]int{}}
	certificate, err := issue(caFile)
	if err != nil {
		return nil, err
	}
	quiet := log.New(io.Discard, "", 0)
	inner := registry.New(registry.Logger(quiet))
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, secret, _ := r.BasicAuth()
		reads := r.Method == http.MethodGet || r.Method == http.MethodHead
		// The path /v2/ is where a client learns whether it has to log in.
		if known := name == user && secret == password; !known && (!reads || s.private.Load()) {
			w.Header().Set("WWW-Authenticate", `Basic realm="testrun"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if reads && strings.Contains(r.URL.Path, "/manifests/") {
			s.mu.Lock()
			s.pulled[r.URL.Path]++
			s.mu.Unlock()
		}
		inner.ServeHTTP(w, r)
	})
	s.ErrorLog = quiet
	s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	s.ReadHeaderTimeout = time.Minute
	// This registry holds a lock while it reads an upload. In HTTP/2, uploads that wait for the lock use up the window that the one
	// which is read shares with them: all of them stand still.
	s.Protocols = new(http.Protocols)
	s.Protocols.SetHTTP1(true)
	go func() { _ = s.ServeTLS(listener, "", "") }()
	return s, nil
}

// pulls says how often a manifest of a repository was asked for.
func (s *registryServer) pulls(repository string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	count := 0
	for path, times := range s.pulled {
		if strings.HasPrefix(path, "/v2/"+repository+"/manifests/") {
			count += times
		}
	}
	return count
}

// issue makes a CA and a certificate for the node's address, and writes the CA's certificate.
func issue(caFile string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	// One that signs itself is its own CA.
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "the registry of a test"}, IPAddresses: []net.IP{net.ParseIP(node)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, os.WriteFile(caFile, text, 0o644)
}

// fileServer is where the files of the release are downloaded from.
type fileServer struct {
	http.Server

	url string
}

func serveFiles(folder string) (*fileServer, error) {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &fileServer{url: "http://" + listener.Addr().String()}
	s.Handler, s.ReadHeaderTimeout = http.FileServer(http.Dir(folder)), time.Minute
	go func() { _ = s.Serve(listener) }()
	return s, nil
}
