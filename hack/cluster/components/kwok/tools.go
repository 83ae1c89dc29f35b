//go:build tools

// Package kwok pins kwok: importing it makes go.sum complete.
package kwok

import _ "sigs.k8s.io/kwok/cmd/kwok"
