//go:build tools

// Package coredns pins CoreDNS: importing it makes go.sum complete.
package coredns

import _ "github.com/coredns/coredns"
