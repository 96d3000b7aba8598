package backend

// rotation is the servers that take balanced requests, as they were at one
// moment, with what the algorithm has worked out about them. It never changes:
// when the state of a server does, the version of its group is raised, and the
// next claim of each generation finds its rotation stale and makes another. So
// many changes at once cost one rotation, and a generation that nobody uses any
// more costs none.
type rotation struct {
	version uint64
	members []member
	// has tells for each server of the backend whether it is a member.
	has     []bool
	balance balancer
	// only is the only member, nil when there are more.
	only *Server
	// err says why there are no members.
	err error
}

// member is a server in a rotation, with what algorithms look at.
type member struct {
	server *Server
	places *places
	// weight counts percents: it is the weight times the share of slow start.
	weight int64
	// limit is a copy, so that full servers are seen without a look at them; take
	// has the last word.
	limit int64
}

func (m *member) full() bool { return m.places.active() >= m.limit }

// but is the server to avoid: the only member is not to be avoided.
func (r *rotation) but(avoid *Server) *Server {
	if avoid == r.only {
		return nil
	}
	return avoid
}

// takes tells whether the server at a place in the file may be given to a request
// that avoids another, or this very one.
func (r *rotation) takes(at int, avoided bool) bool {
	return r.has[at] && (!avoided || r.only != nil)
}

// current is the rotation in force.
func (b *Backend) current() *rotation {
	if r := b.rotation.Load(); r.version == b.group.version.Load() {
		return r
	}
	return b.rotate()
}

// rotate brings the rotation up to date.
func (b *Backend) rotate() *rotation {
	b.group.rotating.Lock()
	defer b.group.rotating.Unlock()
	// Read before the servers are looked at: what changes later raises it again.
	version := b.group.version.Load()
	old := b.rotation.Load()
	if old.version == version {
		return old
	}
	if b.previous != nil {
		old, b.previous = b.previous.rotation.Load(), nil
	}
	r := &rotation{version: version, has: make([]bool, len(b.servers))}
	b.gather(r)
	r.balance = b.newBalancer(r.members, old.balance)
	b.rotation.Store(r)
	return r
}

// gather finds the members: the usable servers, or the backup servers when there
// are none.
func (b *Backend) gather(r *rotation) {
	r.members = make([]member, 0, len(b.servers))
	var backups []int
	maint := 0
	for i, s := range b.servers {
		switch {
		case s.Admin() == Maint:
			maint++
		case !s.Usable():
		case s.Backup():
			backups = append(backups, i)
		default:
			r.add(s, i)
		}
	}
	if len(r.members) == 0 {
		for i, at := range backups {
			if i == 0 || b.options.UseAllBackups {
				r.add(b.servers[at], at)
			}
		}
	}
	switch {
	case len(r.members) == 1:
		r.only = r.members[0].server
	case len(r.members) > 0:
	case maint > 0 && maint == len(b.servers):
		r.err = ErrMaintenance
	default:
		r.err = ErrNoServer
	}
}

func (r *rotation) add(s *Server, at int) {
	r.has[at] = true
	r.members = append(r.members, member{
		server: s, places: s.places, limit: s.limit.Load(),
		weight: max(1, int64(s.Weight())*s.share.Load()),
	})
}

// anyFree takes a place on whatever member has one, beginning at an index.
func anyFree(members []member, from int, avoid *Server) (*Server, bool) {
	for i := range members {
		at := from + i
		if at >= len(members) {
			at -= len(members)
		}
		m := &members[at]
		if m.server != avoid && !m.full() && m.server.take() {
			return m.server, true
		}
	}
	return nil, false
}
