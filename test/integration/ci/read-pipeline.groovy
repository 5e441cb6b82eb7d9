// Runs a declarative Jenkinsfile with steps that do nothing but say what they were: JSON lines of where, step, arguments.
class Recorder {
  List where = []
  Map params = [:]

  def methodMissing(String name, arguments) {
    def list = arguments as List
    def body = list && list[-1] instanceof Closure ? list.remove(list.size() - 1) : null
    def text = list.collect { it instanceof Map ? it : it.toString() }
    println groovy.json.JsonOutput.toJson([where: where, step: name, arguments: text])
    // What the condition says is for the caller to know.
    if (body == null || name == 'expression') return name
    where = where + [list ? "$name ${list[0]}".toString() : name]
    body.delegate = this
    body.resolveStrategy = Closure.DELEGATE_FIRST
    body.call()
    where = where[0..<-1]
    return name
  }

  def propertyMissing(String name) { name == 'pullRequest' ? this : name }
}

def recorder = new Recorder()
def binding = new Binding([pipeline: { Closure body -> recorder.pipeline(body) }])
new GroovyShell(this.class.classLoader, binding).evaluate(new File(args[0]))
