//go:build tools

// Package runc pins runc: importing it makes go.sum complete.
package runc

import _ "github.com/opencontainers/runc"
