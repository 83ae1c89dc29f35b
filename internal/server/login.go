package server

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/testrun-dev/testrun/internal/page"
)

// Login is how people log in to the pages, beside tokens.
type Login struct {
	// PageURL is where browsers find the pages; empty if nobody has said.
	PageURL string
	// Issuer is an OIDC provider; empty if there is none. Scopes have commas between them.
	Issuer, ClientID, ClientSecretFile, Scopes, CAFile string
}

// Check refuses what cannot be meant.
func (l Login) Check() error {
	if l.PageURL != "" {
		address := l.url()
		if address == nil || address.Scheme != "https" || address.Host == "" || strings.Trim(address.Path, "/") != "" || address.RawQuery != "" || address.User != nil {
			return errors.New("--page-url is an address such as https://tests.example.com, without a path")
		}
	}
	if l.Issuer == "" {
		if l.ClientID+l.ClientSecretFile+l.CAFile != "" {
			return errors.New("--oidc-… needs --oidc-issuer")
		}
		return nil
	}
	if address, err := url.Parse(l.Issuer); err != nil || address.Scheme != "https" || address.Host == "" {
		return errors.New("--oidc-issuer is an address such as https://login.example.com")
	}
	if l.ClientID == "" || l.PageURL == "" {
		return errors.New("--oidc-issuer needs --oidc-client-id and --page-url")
	}
	return nil
}

// url is that of the pages; nil if nobody has said.
func (l Login) url() *url.URL {
	if l.PageURL == "" {
		return nil
	}
	address, err := url.Parse(l.PageURL)
	if err != nil {
		return nil
	}
	return address
}

// provider reads what belongs to the provider.
func (l Login) provider() (page.OIDC, error) {
	provider := page.OIDC{Issuer: l.Issuer, ClientID: l.ClientID}
	for scope := range strings.SplitSeq(l.Scopes, ",") {
		if scope = strings.TrimSpace(scope); scope != "" {
			provider.Scopes = append(provider.Scopes, scope)
		}
	}
	if l.ClientSecretFile != "" {
		secret, err := os.ReadFile(l.ClientSecretFile)
		if err != nil {
			return provider, fmt.Errorf("--oidc-client-secret-file: %w", err)
		}
		provider.ClientSecret = strings.TrimSpace(string(secret))
	}
	if l.CAFile != "" {
		var err error
		if provider.CA, err = os.ReadFile(l.CAFile); err != nil {
			return provider, fmt.Errorf("--oidc-ca-file: %w", err)
		}
	}
	return provider, nil
}
