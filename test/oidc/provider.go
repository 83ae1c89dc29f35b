// Package oidc is an OIDC provider for tests, and what has the API server trust it.
package oidc

import (
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/golang-jwt/jwt/v5"
	"github.com/oauth2-proxy/mockoidc"
	"sigs.k8s.io/yaml"
)

// Provider is an OIDC provider. It lets everybody in who comes: the users that are queued, one after the other.
type Provider struct {
	*mockoidc.MockOIDC
	// CA is its certificate, in PEM.
	CA []byte
}

// Start starts a provider on this computer.
func Start() (*Provider, error) {
	certificates := httptest.NewUnstartedServer(nil)
	certificates.StartTLS() // for its certificate, which is for 127.0.0.1
	config := &tls.Config{Certificates: certificates.TLS.Certificates, MinVersion: tls.VersionTLS12}
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificates.Certificate().Raw})
	certificates.Close()
	provider, err := mockoidc.NewServer(nil)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	return &Provider{provider, authority}, provider.Start(tls.NewListener(listener, config), config)
}

// Prefix begins the names of users and groups of the provider in the cluster.
const Prefix = "oidc:"

// Configuration writes what has an API server trust the provider into the folder: the value of --authentication-config.
func (p *Provider) Configuration(folder string) (string, error) {
	claim := func(name string) map[string]any { return map[string]any{"claim": name, "prefix": Prefix} }
	text, err := yaml.Marshal(map[string]any{
		"apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthenticationConfiguration",
		"jwt": []any{map[string]any{
			"issuer":        map[string]any{"url": p.Issuer(), "certificateAuthority": string(p.CA), "audiences": []string{p.ClientID}},
			"claimMappings": map[string]any{"username": claim("preferred_username"), "groups": claim("groups")},
		}},
	})
	if err != nil {
		return "", err
	}
	file := filepath.Join(folder, "authentication.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return "", fmt.Errorf("the configuration of the API server: %w", err)
	}
	return file, nil
}

// User is somebody whom the provider knows, with what is wrong about the tokens that it gives them.
type User struct {
	mockoidc.MockUser
	Wrong func(*mockoidc.IDTokenClaims)
}

// Claims are those of an ID token.
func (u *User) Claims(scopes []string, claims *mockoidc.IDTokenClaims) (jwt.Claims, error) {
	if u.Wrong != nil {
		u.Wrong(claims)
	}
	return u.MockUser.Claims(scopes, claims)
}
