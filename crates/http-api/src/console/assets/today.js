// Plots of the days, from the figures in the page, and notices when these cannot be refreshed. Without this script, the tables
// have the figures, and nothing is refreshed.
'use strict'
{
  const HEIGHT = 220
  const dark = matchMedia('(prefers-color-scheme: dark)')
  const plots = new Map()

  const draw = place => {
    plots.get(place)?.destroy()
    const { currency, days, paid, refunded } = JSON.parse(place.dataset.plot)
    const color = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim()
    const axis = { stroke: color('--pico-muted-color'), grid: { stroke: color('--line'), width: 1 }, ticks: { show: false } }
    const amounts = new Intl.NumberFormat('en-GB', { maximumFractionDigits: 4 })
    const date = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' })
    const dates = (_, ticks) => ticks.map(it => date.format(it * 1000))
    const value = (_, it) => it === null ? '' : `${amounts.format(it)} ${currency}`
    place.hidden = false
    plots.set(place, new uPlot({
      width: place.clientWidth,
      height: HEIGHT,
      // The figures are those of dates, which have no zone.
      tzDate: seconds => uPlot.tzDate(new Date(seconds * 1000), 'Etc/UTC'),
      axes: [{ ...axis, values: dates, space: 64 }, { ...axis, size: (_, labels) => Math.max(56, ...(labels ?? []).map(it => it.length * 7.5 + 16)), values: (_, ticks) => ticks.map(it => amounts.format(it)) }],
      series: [
        { label: 'Day', value: '{YYYY}-{MM}-{DD}' },
        { label: 'Paid', stroke: color('--plot-1'), fill: color('--plot-1'), paths: uPlot.paths.bars({ size: [0.7, 40] }), points: { show: false }, value },
        { label: 'Refunded', stroke: color('--plot-2'), width: 2, points: { show: true, size: 5 }, value }
      ]
    }, [days, paid.map(Number), refunded.map(Number)], place))
  }

  const all = document.querySelectorAll('[data-plot]')
  for (const place of all) draw(place)
  dark.addEventListener('change', () => all.forEach(draw))
  addEventListener('resize', () => {
    for (const [place, plot] of plots) plot.setSize({ width: place.clientWidth, height: HEIGHT })
  })

  const notices = ['ended', 'late'].map(id => document.getElementById(id))
  const show = shown => notices.forEach(it => { it.hidden = it.id !== shown })
  document.addEventListener('htmx:after:request', event => {
    const { response: { status }, text } = event.detail.ctx
    const isToday = status === 200 && text.includes('id="now"')
    show(isToday ? null : status === 401 ? 'ended' : 'late')
    // Another page, such as a proxy's, would leave nothing that is refreshed.
    if (!isToday) event.preventDefault()
  })
  // Without an answer.
  document.addEventListener('htmx:error', () => show('late'))
}
