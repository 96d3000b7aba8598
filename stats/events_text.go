package stats

// texts is everything on the page that changes, by the ID of its element: an
// event, once only what changed is left. Text is what an element says, State what
// it is coloured by, Hint its tool tip, and Path the line of a chart.
type texts struct {
	Key   string            `json:"k"`
	Text  map[string]string `json:"t,omitempty"`
	State map[string]string `json:"s,omitempty"`
	Hint  map[string]string `json:"h,omitempty"`
	Path  map[string]string `json:"d,omitempty"`
}

// since leaves what is not as it was before; everything when the page became
// another.
func (t texts) since(before *texts) texts {
	if t.Key != before.Key {
		return t
	}
	return texts{
		Key:  t.Key,
		Text: changed(before.Text, t.Text), State: changed(before.State, t.State),
		Hint: changed(before.Hint, t.Hint), Path: changed(before.Path, t.Path),
	}
}

func changed(before, now map[string]string) map[string]string {
	left := map[string]string{}
	for id, text := range now {
		if old, ok := before[id]; !ok || old != text {
			left[id] = text
		}
	}
	return left
}

// texts collects what changes on the page.
func (m *pageModel) texts() texts {
	t := texts{
		Key: m.Key, Text: map[string]string{}, State: map[string]string{},
		Hint: map[string]string{}, Path: map[string]string{},
	}
	t.add(m.Reload)
	t.add(m.Draining)
	for _, tile := range m.Tiles {
		t.add(tile.Value)
		t.add(tile.Note)
	}
	for i := range m.Charts {
		c := &m.Charts[i]
		t.add(c.Top)
		t.State[c.Plot.ID] = c.Plot.State
		if c.Fill.ID != "" {
			t.Path[c.Fill.ID] = c.Fill.Path
		}
		for _, line := range c.Lines {
			t.add(line.Last)
			t.Path[line.ID] = line.Path
		}
	}
	for i := range m.Groups {
		if spark := &m.Groups[i].Spark; spark.ID != "" {
			t.Path[spark.ID] = spark.Path
		}
		for j := range m.Groups[i].Rows {
			t.addRow(&m.Groups[i].Rows[j])
		}
	}
	for _, l := range m.Lists {
		for _, row := range l.Rows {
			for _, c := range row {
				t.add(c)
			}
		}
	}
	return t
}

func (t *texts) addRow(r *tableRow) {
	t.add(r.Status)
	t.State[r.ID] = r.State
	for i := range r.Cells {
		if c := &r.Cells[i]; c.Text != "" {
			t.add(c.cell)
		}
	}
	for _, g := range r.Panel.Facts {
		for _, f := range g.Facts {
			t.add(f.cell)
		}
	}
	if a := r.Panel.Admin; a.ID != "" {
		t.State[a.ID] = a.State
	}
}

// add takes a cell in, unless it never changes.
func (t *texts) add(c cell) {
	if c.ID == "" {
		return
	}
	t.Text[c.ID] = c.Text
	if c.State != "" {
		t.State[c.ID] = c.State
	}
	if c.Hint != "" {
		t.Hint[c.ID] = c.Hint
	}
}
