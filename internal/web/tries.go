package web

import (
	"errors"
	"net"
	"net/netip"
	"sync"

	"golang.org/x/time/rate"
	"k8s.io/utils/lru"
)

// How many refused tokens an address may try at once, and how many more a second. Each costs the API server a review.
const (
	maxTries   = 60
	triesPer   = rate.Limit(1)
	maxClients = 4096
)

var errTooManyTries = errors.New("too many tokens from this address were refused")

// tries bounds how many tokens that are refused are tried from one address. Tokens that are known to be good are not tried.
type tries struct {
	// more is how many more a second.
	more rate.Limit

	mutex   sync.Mutex
	clients *lru.Cache
}

func newTries() *tries { return &tries{more: triesPer, clients: lru.New(maxClients)} }

func (t *tries) of(address string) *rate.Limiter {
	client := clientOf(address)
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if known, ok := t.clients.Get(client); ok {
		return known.(*rate.Limiter)
	}
	limiter := rate.NewLimiter(t.more, maxTries)
	t.clients.Add(client, limiter)
	return limiter
}

// clientOf is whom an address belongs to: somebody who has one of IPv6 has 2^64 of them.
func clientOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	ip, err := netip.ParseAddr(host)
	if err != nil || ip.Unmap().Is4() {
		return host
	}
	network, err := ip.WithZone("").Prefix(64)
	if err != nil {
		return host
	}
	return network.String()
}
