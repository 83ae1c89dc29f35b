package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

// prober asks components whether they work.
type prober struct{ client *http.Client }

func (c *Cluster) newProber() (*prober, error) {
	roots := x509.NewCertPool()
	for _, name := range []string{clusterCA, etcdCA} {
		data, err := os.ReadFile(c.Layout.Cert(name + ".crt"))
		if err != nil {
			return nil, err
		}
		roots.AppendCertsFromPEM(data)
	}
	// The server says which authorities it accepts, and the right one of these is used.
	var own []tls.Certificate
	for _, name := range []string{"apiserver-kubelet-client", "apiserver-etcd-client"} {
		pair, err := tls.LoadX509KeyPair(c.Layout.Cert(name+".crt"), c.Layout.Cert(name+".key"))
		if err != nil {
			return nil, err
		}
		own = append(own, pair)
	}
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: roots, Certificates: own, MinVersion: tls.VersionTLS12},
		DisableKeepAlives: true, // a component that is restarted leaves no connection that looks alive
	}
	return &prober{&http.Client{Transport: transport, Timeout: 3 * time.Second}}, nil
}

// healthy asks one component.
func (c *Cluster) healthy(ctx context.Context, p *prober, s service) error {
	if s.health == "" {
		_, err := c.ctr(ctx, "version")
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.health, http.NoBody)
	if err != nil {
		return err
	}
	response, err := p.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(response.Body, 500))
		return errors.New(response.Status + ": " + strings.TrimSpace(string(body)))
	}
	return nil
}
