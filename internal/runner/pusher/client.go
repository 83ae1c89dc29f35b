//go:build linux

package pusher

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/testrun-dev/testrun/internal/push"
	"github.com/testrun-dev/testrun/internal/results"
)

// The answers that count.
const (
	noContent    = 204
	unauthorized = 401
	forbidden    = 403
	tooLarge     = 413
	tooMany      = 429
	serverError  = 500
)

const (
	// connectTimeout is how long a connection may take to be made, and answerTimeout how long the server may take to answer.
	connectTimeout = 5 * time.Second
	answerTimeout  = 20 * time.Second
	// requestTimeout is how long a request may take in all. A chunk of it is small.
	requestTimeout = time.Minute
	// tokenAge is how long a token is used before its file is read again. The kubelet replaces it.
	tokenAge = time.Minute
	// maxToken bounds the file of the token, and maxAnswer the body of an answer, in bytes.
	maxToken  = 64 << 10
	maxAnswer = 4 << 10
	// maxReason bounds what the server says is wrong.
	maxReason = 128
)

// client makes the requests.
type client struct {
	*server
	tokenFile string
	token     string
	tokenRead time.Time
}

// refusal is an answer that is not a success.
type refusal struct {
	code   int
	reason string
}

// mayPass says whether an error may go away by itself. What a server refuses for another reason than its own state stays refused.
func mayPass(err error) bool {
	var refused *refusal
	return !errors.As(err, &refused) || refused.code == tooMany || refused.code >= serverError
}

// isRefusal says whether an error is an answer with one of those codes.
func isRefusal(err error, codes ...int) bool {
	var refused *refusal
	return errors.As(err, &refused) && slices.Contains(codes, refused.code)
}

func (r *refusal) Error() string {
	return fmt.Sprintf("the server answered %d: %s", r.code, results.Cut(r.reason, maxReason))
}

// newClient checks the address and the pins. It makes no connection yet.
func newClient(address, tokenFile string, pins []string) (*client, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.User != nil {
		return nil, fmt.Errorf("--archive is %q: it is https://HOST or https://HOST:PORT", results.Cut(address, maxReason))
	}
	known := make([][sha256.Size]byte, len(pins))
	for i, pin := range pins {
		key, err := hex.DecodeString(pin)
		if err != nil || len(key) != sha256.Size {
			return nil, fmt.Errorf("--archive-pin is %q: it is a SHA-256 in hex, or two with a comma between them", results.Cut(pin, maxReason))
		}
		copy(known[i][:], key)
	}
	if len(known) == 0 || len(known) > 2 {
		return nil, fmt.Errorf("--archive-pin has %d keys: it has one or two", len(known))
	}
	hostPort := net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "443"))
	return &client{server: &server{address: hostPort, host: u.Host, config: trust(known, u.Hostname())}, tokenFile: tokenFile}, nil
}

// trust trusts a server whose key is one of those, and no other. InsecureSkipVerify turns off what Go does with the names, the dates and the
// issuer of a certificate: none of them counts here, since the operator has told the key itself. It does not turn off that the server has
// to prove in the handshake that it owns the key of the certificate that it shows. VerifyConnection compares that key, and runs for every
// connection.
func trust(known [][sha256.Size]byte, name string) *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		ServerName:         name,
		InsecureSkipVerify: true, //nolint:gosec // see above
		VerifyConnection: func(state tls.ConnectionState) error {
			if key := sha256.Sum256(state.PeerCertificates[0].RawSubjectPublicKeyInfo); !slices.Contains(known, key) {
				return fmt.Errorf("the server has another key than --archive-pin says: %s", hex.EncodeToString(key[:]))
			}
			return nil
		},
	}
}

// put makes a request. After an error it reads the token's file again: the kubelet may have replaced the token. If it has, a server that
// refused the old one is asked once more.
func (c *client) put(ctx context.Context, m message) error {
	err := c.try(ctx, m)
	if err != nil {
		c.tokenRead = time.Time{}
	}
	if isRefusal(err, unauthorized, forbidden) {
		if old := c.token; c.readToken() == nil && c.token != old {
			err = c.try(ctx, m)
		}
	}
	if err == nil || !mayPass(err) {
		c.settled()
	}
	return err
}

func (c *client) try(ctx context.Context, m message) error {
	if err := c.readToken(); err != nil {
		return err
	}
	got, err := c.server.put(ctx, m, c.token)
	if err != nil {
		return err
	}
	if got.code == noContent {
		return nil
	}
	told := push.Refusal{}
	if json.Unmarshal(got.body, &told) != nil || told.Error == "" {
		told.Error = "it does not say why"
	}
	return &refusal{got.code, told.Error}
}

func (c *client) readToken() error {
	if time.Since(c.tokenRead) < tokenAge {
		return nil
	}
	file, err := os.Open(c.tokenFile)
	if err != nil {
		return fmt.Errorf("the token cannot be read: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxToken))
	if err != nil {
		return fmt.Errorf("the token cannot be read: %w", err)
	}
	token := string(bytes.TrimSpace(text))
	if token == "" || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fmt.Errorf("%s holds no token", c.tokenFile)
	}
	c.token, c.tokenRead = token, time.Now()
	return nil
}
