package remote

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"
)

const (
	// headerTimeout is for the beginning of an answer; output that is followed may take any time after that.
	headerTimeout = 20 * time.Second
	// maxAnswer is how large an answer in JSON may be.
	maxAnswer = 64 << 20
)

// caller asks a program over HTTPS.
type caller struct {
	base  *url.URL
	token string
	http  *http.Client
}

// Trust says whose certificate is believed.
type Trust struct {
	// CA is a file with certificates; empty for those of the system.
	CA string
	// Anybody is believed. That is right only where the way to the program is itself to be trusted.
	Anybody bool
}

func newCaller(base *url.URL, token string, trust Trust) (*caller, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: trust.Anybody} //nolint:gosec // Trust says when
	if trust.CA != "" {
		pem, err := os.ReadFile(trust.CA)
		if err != nil {
			return nil, fmt.Errorf("--archive-ca: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("--archive-ca: %s holds no certificate in PEM", trust.CA)
		}
	}
	transport := &http.Transport{
		DialContext:     (&net.Dialer{Timeout: headerTimeout}).DialContext,
		TLSClientConfig: config, ResponseHeaderTimeout: headerTimeout, TLSHandshakeTimeout: headerTimeout, Proxy: http.ProxyFromEnvironment,
	}
	// A token goes to whom it was meant for, and to nobody to whom an answer leads.
	noRedirect := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &caller{base, token, &http.Client{Transport: transport, CheckRedirect: noRedirect}}, nil
}

// AnswerError is an answer other than 200.
type AnswerError struct {
	Status int
	// Detail is what the program says about it.
	Detail string
}

// Error is the program's own sentence.
func (e *AnswerError) Error() string {
	if e.Detail == "" {
		return fmt.Sprintf("the answer is %d %s", e.Status, http.StatusText(e.Status))
	}
	return e.Detail
}

// IsNotFound says that there is nothing of that name, or that it may not be seen.
func IsNotFound(err error) bool {
	var answer *AnswerError
	return errors.As(err, &answer) && answer.Status == http.StatusNotFound
}

// get asks for a path. Whoever gets the answer closes its body.
func (c *caller) get(ctx context.Context, query url.Values, path ...string) (*http.Response, error) {
	address := c.base.JoinPath(path...)
	address.RawQuery = query.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), http.NoBody)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+c.token)
	response, err := c.http.Do(request)
	if err != nil {
		return nil, sentenceOf(err)
	}
	if response.StatusCode == http.StatusOK {
		return response, nil
	}
	defer response.Body.Close()
	var problem struct{ Detail string }
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err == nil {
		_ = json.Unmarshal(body, &problem) // an answer of somebody else has no detail
	}
	return nil, &AnswerError{response.StatusCode, problem.Detail}
}

// sentenceOf is an error of a request, with what to do if a certificate is what is wrong.
func sentenceOf(err error) error {
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	if errors.As(err, &unknown) || errors.As(err, &name) {
		return fmt.Errorf("%w: name the file of its CA with --archive-ca, or trust whoever answers there with --archive-insecure", err)
	}
	return err
}

// read reads an answer in JSON.
func (c *caller) read(ctx context.Context, into any, query url.Values, path ...string) error {
	response, err := c.get(ctx, query, path...)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if err := json.NewDecoder(io.LimitReader(response.Body, maxAnswer)).Decode(into); err != nil {
		return fmt.Errorf("the answer of %s is no JSON that this plugin knows: %w. Is that address the server of the archive, and as new as the plugin?", c.base.Host, err)
	}
	return nil
}
