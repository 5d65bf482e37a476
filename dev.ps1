# The one command on Windows, the twin of ./dev: `.\dev.ps1 help` lists what it does. Windows PowerShell 5.1 is enough.
# Set-up uses winget; each step says what it installs and why, and is skipped when nothing is missing.
param(
    [Parameter(Position = 0)][string]$Command = 'help',
    [Parameter(Position = 1, ValueFromRemainingArguments = $true)][string[]]$Rest = @()
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
Set-Location -Path $PSScriptRoot

$Tools = Join-Path $PSScriptRoot '.tools'
$Logs = Join-Path $PSScriptRoot 'target\test-logs'
$TyposVersion = '1.52.0'
$TaploVersion = '0.9.3'
$CargoTools = @{ 'cargo-nextest' = '0.9.143'; 'cargo-deny' = '0.20.2'; 'cargo-machete' = '0.9.2' }

function Say([string]$Text) { Write-Host "visavis: $Text" }

function Stop-With([string]$Text) {
    Say $Text
    exit 1
}

function Test-Program([string]$Name) { [bool](Get-Command $Name -ErrorAction SilentlyContinue) }

# Runs a program and stops with its exit code when it fails: PowerShell itself would go on.
function Invoke-Program([string]$Program, [string[]]$Arguments) {
    & $Program @Arguments
    if ($LASTEXITCODE -ne 0) { exit $LASTEXITCODE }
}

# winget changes the stored PATH, not this process's.
function Update-Path {
    $stored = @('Machine', 'User') | ForEach-Object { [Environment]::GetEnvironmentVariable('Path', $_) }
    $env:Path = (@("$Tools\venv\Scripts", "$Tools\bin", "$HOME\.cargo\bin", "$env:ProgramFiles\NASM") + $stored + $env:Path) -join ';'
}

function Install-Package([string]$Id, [string]$Why, [string[]]$More = @()) {
    Say "installing $Id ($Why)"
    if (-not (Test-Program 'winget')) { Stop-With "winget is missing. Install 'App Installer' from the Microsoft Store, or $Id by hand." }
    & winget install --id $Id --exact --silent --accept-source-agreements --accept-package-agreements @More
    if ($LASTEXITCODE -ne 0) { Stop-With "$Id could not be installed (winget said $LASTEXITCODE)." }
    Update-Path
}

function Test-BuildTools {
    $where = Join-Path ${env:ProgramFiles(x86)} 'Microsoft Visual Studio\Installer\vswhere.exe'
    if (-not (Test-Path $where)) { return $false }
    [bool](& $where -latest -products '*' -requires Microsoft.VisualStudio.Component.VC.Tools.x86.x64 -property installationPath)
}

function Get-WantedRust {
    [version]((Select-String -Path Cargo.toml -Pattern '^rust-version = "(.*)"').Matches[0].Groups[1].Value)
}

function Test-Rust {
    if (-not (Test-Program 'cargo')) { return $false }
    if ("$(& cargo --version)" -notmatch '(\d+\.\d+)') { return $false }
    ([version]$Matches[1]) -ge (Get-WantedRust)
}

# Vite asks for 20.19, or 22.12 and later.
function Test-Node {
    if (-not (Test-Program 'node')) { return $false }
    if ("$(& node --version)" -notmatch '^v(\d+)\.(\d+)') { return $false }
    $major, $minor = [int]$Matches[1], [int]$Matches[2]
    ($major -eq 20 -and $minor -ge 19) -or ($major -eq 22 -and $minor -ge 12) -or ($major -gt 22)
}

function Initialize-Build {
    if (-not (Test-BuildTools)) {
        Install-Package 'Microsoft.VisualStudio.2022.BuildTools' 'the C++ compiler and linker that Rust and the codecs need' @(
            '--override', '--quiet --wait --norestart --add Microsoft.VisualStudio.Workload.VCTools --includeRecommended')
    }
    if (-not (Test-Program 'nasm')) { Install-Package 'NASM.NASM' 'the assembler of the video codec' }
    if (-not (Test-Program 'cmake')) { Install-Package 'Kitware.CMake' 'to build the audio codec' }
    if (-not (Test-Rust)) {
        if (Test-Program 'rustup') {
            Say 'updating Rust'
            Invoke-Program rustup @('update', 'stable')
            Invoke-Program rustup @('default', 'stable')
        } else {
            Install-Package 'Rustlang.Rustup' 'the Rust compiler'
            Invoke-Program rustup @('default', 'stable')
        }
    }
}

# Node, and what the window's page and the guests' page are built with.
function Initialize-Ui {
    if (-not (Test-Node)) { Install-Package 'OpenJS.NodeJS.LTS' 'to build the user interface' }
    $lock = (Get-FileHash ui\package-lock.json).Hash
    $mark = 'ui\node_modules\.visavis-lock'
    if (-not (Test-Path $mark) -or (Get-Content $mark -TotalCount 1) -ne $lock) {
        Say "installing the UI's packages into ui\node_modules"
        Invoke-Program npm @('--prefix', 'ui', 'ci', '--no-audit', '--no-fund', '--loglevel=error')
        Set-Content -Path $mark -Value $lock
    }
}

function Initialize-Desktop {
    Initialize-Build
    $webview = '{F3017226-FE2A-4295-8BDF-00C3A9A7E4C5}'
    $keys = @("HKLM:\SOFTWARE\WOW6432Node\Microsoft\EdgeUpdate\Clients\$webview", "HKCU:\Software\Microsoft\EdgeUpdate\Clients\$webview")
    if (-not ($keys | Where-Object { Test-Path $_ })) {
        Install-Package 'Microsoft.EdgeWebView2Runtime' 'the webview that draws the window'
    }
    Initialize-Ui
}

function Initialize-Test {
    Initialize-Desktop
    if (-not (Test-Path "$Tools\venv\Scripts\typos.exe") -or -not (Test-Path "$Tools\venv\Scripts\taplo.exe")) {
        # The Microsoft Store's placeholder is found as `python` and runs nothing.
        if (-not (Test-Program 'py')) { Install-Package 'Python.Python.3.13' 'to fetch typos and taplo' }
        Say 'fetching typos and taplo into .tools'
        Invoke-Program py @('-3', '-m', 'venv', "$Tools\venv")
        Invoke-Program "$Tools\venv\Scripts\python.exe" @('-m', 'pip', 'install', '--quiet', '--disable-pip-version-check',
            "typos==$TyposVersion", "taplo==$TaploVersion")
    }
    foreach ($name in $CargoTools.Keys) {
        if (Test-Program $name) { continue }
        Say "building $name into .tools (once, a few minutes)"
        $target, $debug = $env:CARGO_TARGET_DIR, $env:CARGO_PROFILE_DEV_DEBUG
        $env:CARGO_TARGET_DIR = "$Tools\build"
        $env:CARGO_PROFILE_DEV_DEBUG = '0'
        Invoke-Program cargo @('install', '--quiet', '--locked', '--debug', '--root', $Tools, "$name@$($CargoTools[$name])")
        $env:CARGO_TARGET_DIR, $env:CARGO_PROFILE_DEV_DEBUG = $target, $debug
    }
}

function Build-Ui { Invoke-Program npm @('--prefix', 'ui', 'run', 'build') }

# The page that the server gives to guests in a browser.
function Build-GuestUi { Invoke-Program npm @('--prefix', 'ui', 'run', 'build:guest') }

# The steps of ./dev test that need neither X11 nor a Debian package; each is a program and its arguments.
$Steps = [ordered]@{
    'fmt-rust'        = @('cargo', 'fmt', '--all', '--check')
    'fmt-toml'        = @('taplo', 'fmt', '--check')
    'fmt-ui'          = @('npm', '--prefix', 'ui', 'run', 'format')
    'typos'           = @('typos')
    'ui-lint'         = @('npm', '--prefix', 'ui', 'run', 'lint')
    'ui-types'        = @('npm', '--prefix', 'ui', 'run', 'check')
    'ui-test'         = @('npm', '--prefix', 'ui', 'run', 'test')
    'ui-build'        = @('npm', '--prefix', 'ui', 'run', 'build')
    'ui-build-guest'  = @('npm', '--prefix', 'ui', 'run', 'build:guest')
    'tidy'            = @('cargo', 'xtask', 'tidy')
    'deny'            = @('cargo', 'deny', 'check', 'bans', 'licenses', 'sources')
    'machete'         = @('cargo', 'machete')
    'clippy'          = @('cargo', 'clippy', '--workspace', '--all-targets', '--', '-D', 'warnings')
    'clippy-headless' = @('cargo', 'clippy', '-p', 'visavis', '--no-default-features', '--all-targets', '--', '-D', 'warnings')
    'build'           = @('cargo', 'build', '--workspace', '--bins')
    'test'            = @('cargo', 'nextest', 'run', '--workspace', '-E', 'not (package(visavis) & kind(test))')
    'doctest'         = @('cargo', 'test', '--workspace', '--doc')
}

function Invoke-Steps([string[]]$Names) {
    New-Item -ItemType Directory -Force -Path $Logs | Out-Null
    $env:CARGO_TERM_COLOR = 'never'
    $env:NO_COLOR = '1'
    $rows = foreach ($name in $Names) {
        $program = $Steps[$name][0]
        $arguments = @($Steps[$name] | Select-Object -Skip 1)
        $log = Join-Path $Logs "$name.log"
        $clock = [Diagnostics.Stopwatch]::StartNew()
        # Windows PowerShell takes what a program writes to stderr for an error of its own.
        $ErrorActionPreference = 'Continue'
        & $program @arguments *> $log
        $good = $LASTEXITCODE -eq 0
        $ErrorActionPreference = 'Stop'
        $result = if ($good) { 'pass' } else { 'FAIL' }
        Write-Host ('{0,-16} {1,-5} {2,5:n0} s' -f $name, $result, $clock.Elapsed.TotalSeconds)
        if (-not $good) { Get-Content $log -Tail 200 | Write-Host }
        [pscustomobject]@{ step = $name; result = $result; seconds = [int]$clock.Elapsed.TotalSeconds }
    }
    $rows | Format-Table -AutoSize | Out-Host
    foreach ($name in 'ui-test', 'test', 'doctest') {
        $log = Join-Path $Logs "$name.log"
        if ($Names -contains $name -and (Test-Path $log)) {
            Select-String -Path $log -Pattern '^\s*(Summary \[|Test Files |Tests  |test result: )' |
                ForEach-Object { Write-Host "${name}: $($_.Line.Trim())" }
        }
    }
    if ($rows | Where-Object { $_.result -eq 'FAIL' }) { exit 1 }
}

function Show-Help {
    @'
.\dev.ps1 COMMAND [ARGUMENTS]      each command first installs what it lacks, and says so

  run [--headless] [ARGS]  build and open the app; with --headless the demo: two peers, one call,
                           statistics, and a PNG of what was received
  server [ARGS]            run visavis-server
  peer [ARGS]              run visavis-cli: create, join CODE, demo, devices
  test [STEP ...]          the checks and tests that run on Windows, or only the steps named
  check                    the steps of test that read the code without running it
  fmt                      format Rust, TOML and the UI in place
  bench [ARGS]             measure this build beside two Chromium peers (Linux only)
  icons                    draw every icon size from icons/visavis.svg
  help                     this text
'@ | Write-Host
}

Update-Path
switch ($Command) {
    'run' {
        if ($Rest.Count -gt 0 -and $Rest[0] -eq '--headless') {
            Initialize-Build
            $more = @($Rest | Select-Object -Skip 1)
            Invoke-Program cargo (@('run', '-p', 'visavis-peer', '--bin', 'visavis-cli', '--', 'demo') + $more)
        } else {
            Initialize-Desktop
            Build-Ui
            Invoke-Program cargo (@('run', '-p', 'visavis', '--bin', 'visavis', '--') + $Rest)
        }
    }
    'server' {
        Initialize-Build
        Initialize-Ui
        Build-GuestUi
        Invoke-Program cargo (@('run', '-p', 'visavis-server', '--bin', 'visavis-server', '--') + $Rest)
    }
    'peer' {
        Initialize-Build
        Invoke-Program cargo (@('run', '-p', 'visavis-peer', '--bin', 'visavis-cli', '--') + $Rest)
    }
    'test' {
        foreach ($name in $Rest) {
            if (-not $Steps.Contains($name)) { Stop-With "No such step: $name. There are: $($Steps.Keys -join ', ')." }
        }
        Initialize-Test
        Invoke-Steps $(if ($Rest.Count -gt 0) { $Rest } else { @($Steps.Keys) })
    }
    'check' {
        Initialize-Test
        Invoke-Steps @($Steps.Keys | Where-Object { $_ -notin 'ui-test', 'build', 'test', 'doctest' })
    }
    'fmt' {
        Initialize-Test
        Invoke-Program cargo @('fmt', '--all')
        Invoke-Program taplo @('fmt')
        Invoke-Program npm @('--prefix', 'ui', 'run', 'format:write')
    }
    'bench' {
        Stop-With 'The bench reads what processes cost from /proc: it runs on Linux only.'
    }
    'icons' {
        Initialize-Desktop
        Invoke-Program npm @('--prefix', 'ui', 'run', 'icons')
    }
    { $_ -in 'help', '-h', '--help' } { Show-Help }
    default {
        Say "No such command: $Command"
        Show-Help
        exit 2
    }
}
