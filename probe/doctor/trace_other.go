//go:build !linux

package doctor

import (
	"context"
	"errors"
	"net/netip"
)

type tracer struct{}

func newTracer(netip.AddrPort, netip.Addr) *tracer { return &tracer{} }

func (*tracer) close() {}

func (*tracer) hop(context.Context, int) (Hop, error) { return Hop{}, errors.ErrUnsupported }
