// Improves the console's pages, which work without it: times in the viewer's zone, one submit of a form, copy buttons.
'use strict'
{
  const root = document.documentElement

  // Times. The UTC text of the server stays in `title`; days without a time belong to the zone of the books, and stay.
  const format = new Intl.DateTimeFormat('en-GB', {
    day: 'numeric', month: 'short', year: 'numeric',
    hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23', timeZoneName: 'short'
  })
  const showTimes = within => {
    for (const time of within.querySelectorAll('time[datetime*="T"]:not([title])')) {
      const at = new Date(time.dateTime)
      if (Number.isNaN(at.getTime())) continue
      time.title = time.textContent.trim()
      time.textContent = format.format(at)
    }
  }
  showTimes(document)
  // Also in what is loaded into the page later.
  new MutationObserver(changes => {
    for (const { addedNodes } of changes) {
      for (const node of addedNodes) if (node.nodeType === Node.ELEMENT_NODE && node.parentNode) showTimes(node.parentNode)
    }
  }).observe(document.body, { childList: true, subtree: true })

  // Forms that act are submitted once. The button is disabled after the browser has collected the form's fields.
  const sent = new WeakSet()
  const labels = new WeakMap()
  document.addEventListener('submit', event => {
    const form = event.target
    if (event.defaultPrevented || form.method !== 'post') return
    if (sent.has(form)) {
      event.preventDefault()
      return
    }
    sent.add(form)
    const button = event.submitter ?? form.querySelector('[type=submit]')
    setTimeout(() => {
      if (!button) return
      labels.set(button, button.textContent)
      button.disabled = true
      button.setAttribute('aria-busy', 'true')
      if (button.dataset.busy) button.textContent = button.dataset.busy
    })
  })
  // A page that comes back by the back button can act again; its form still has the same idempotency key. Firefox also
  // keeps `disabled` when a page is loaded again. The server renders no disabled button.
  addEventListener('pageshow', () => {
    for (const form of document.forms) {
      if (form.method !== 'post') continue
      sent.delete(form)
      for (const button of form.querySelectorAll('[type=submit]')) {
        button.disabled = false
        button.removeAttribute('aria-busy')
        if (labels.has(button)) button.textContent = labels.get(button)
      }
    }
  })

  // Copy buttons are shown where the browser can copy: in a secure context.
  if (navigator.clipboard) {
    root.classList.add('can-copy')
    const said = document.createElement('p')
    said.className = 'visually-hidden'
    said.setAttribute('role', 'status')
    ;(document.querySelector('main') ?? document.body).append(said)
    document.addEventListener('click', async event => {
      const button = event.target.closest('[data-copy]')
      if (!button) return
      let result = 'Copied'
      try {
        await navigator.clipboard.writeText(button.dataset.copy)
      } catch {
        result = 'Not copied'
      }
      button.dataset.result = result
      said.textContent = `${result}: ${button.dataset.copy}`
      setTimeout(() => delete button.dataset.result, 2000)
    })
  }
}
